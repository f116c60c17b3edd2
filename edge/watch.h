// One camera with all that hangs on it.
#pragma once

#include <memory>

#include "edge/camera/camera.h"
#include "edge/camera_pipeline.h"

namespace gleaner::edge {

struct Watch {
  std::unique_ptr<CameraPipeline> pipeline;
  std::unique_ptr<Camera> camera;  // before the pipeline that it writes to
};

}  // namespace gleaner::edge

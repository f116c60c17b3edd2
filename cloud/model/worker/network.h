// A network in ONNX, run by OpenCV on one thread.
//
// OpenCV's reader trusts its file: what it stumbles over throws at best. Only to be used in the
// sandbox.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cloud/model/worker/pixels.h"

namespace gleaner::cloud::model {

struct Input {
  int width = 0, height = 0;
  std::array<float, 3> mean{}, scale{};
};

// What a layer answered.
struct Answer {
  std::vector<int> shape;
  std::vector<float> values;
};

class Network {
 public:
  // Looks at what the libraries want to know of the machine, while files may be opened. No network
  // is read.
  static void Prepare();
  // FAILED_PRECONDITION, as Run, says what is wrong with the network.
  static absl::StatusOr<Network> Load(std::string_view onnx, const Input& input);
  Network(Network&&) noexcept;
  ~Network();

  // One pass; of each of these layers what it answered. An answer that isn't finite is an error.
  absl::StatusOr<std::vector<Answer>> Run(const Pixels& pixels,
                                          const std::vector<std::string>& layers);

 private:
  struct State;
  explicit Network(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gleaner::cloud::model

// A device in simulated time: network cameras, their pipelines with detectors and rules, recorder
// and spool, as the daemon wires them. What it would send to a server is looked at instead.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/camera/camera.h"
#include "edge/camera_pipeline.h"
#include "edge/clip/recorder.h"
#include "edge/trigger/detector/registry.h"
#include "edge/trigger/engine.h"
#include "tests/edge/camera/rtsp_camera.h"
#include "tests/edge/camera/simulated_time.h"
#include "tests/edge/clip/clip_rig.h"

namespace gleaner::edge {

// One network camera of the device.
struct FieldCamera {
  std::string name;
  Film film;
  RtspBehavior behavior;
  // When the n-th picture arrives, after the start.
  std::function<int64_t(int64_t n)> arrival_ns;
};

class FieldDevice : public ClipRig {
 protected:
  // Watches until `seconds` after the start; the rule fires where any camera sees motion. Returns
  // the clips and leaves the cameras' last states in `statuses_`.
  std::vector<TakenClip> Watch(std::vector<FieldCamera> cameras, const RuleOptions& rule,
                               double seconds) {
    std::vector<std::string> names, signals;
    for (const FieldCamera& camera : cameras) {
      names.push_back(camera.name);
      signals.push_back("camera." + camera.name + ".motion");
    }
    auto engine =
        TriggerEngine::Create({rule}, std::vector<SignalSource>(signals.begin(), signals.end()),
                              [&](const Firing& firing) { recorder_->OnFiring(firing, signals); });
    EXPECT_TRUE(engine.ok()) << engine.status();
    RecorderOptions options = Options(names, rule.pre_ns);
    recorder_ = std::make_unique<Recorder>(options, *spool_, clock_);
    recorder_->SetClipGone([&](const std::string& gone, int64_t monotonic_ns) {
      (*engine)->OnClipGone(gone, monotonic_ns);
    });
    Samples samples(*recorder_, **engine);
    SimulatedTime time(clock_, cameras.size());
    const auto end_ns = static_cast<int64_t>(seconds * kNanosPerSecond);

    statuses_.resize(cameras.size());
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < cameras.size(); ++i) {
      threads.emplace_back([&, i] {
        FieldCamera& field = cameras[i];
        RtspCamera server(field.film, field.behavior);
        std::vector<std::unique_ptr<Detector>> detectors;
        detectors.push_back(*MakeDetector("motion", field.name, samples));
        CameraPipeline pipeline(i, field.name, std::move(detectors), samples, {"openh264"},
                                *recorder_, clock_);
        pipeline.SetProgress(std::make_shared<Progress>(field.name, 60 * kNanosPerSecond, clock_));
        CameraOptions camera_options;
        camera_options.name = field.name;
        camera_options.address = *CameraAddress::Parse(server.url());
        Camera camera(camera_options, clock_, pipeline);
        std::stop_source stop;
        // But for a JPEG, a picture is read when the next one begins to arrive.
        camera.OnRead([&, n = int64_t{field.film.codec == "mjpeg" ? 0 : 1}]() mutable {
          const int64_t after_ns = field.arrival_ns(n++);
          if (after_ns > end_ns) {
            stop.request_stop();
          } else {
            time.Wait(i, kStart + after_ns);
          }
        });
        EXPECT_TRUE(camera.Run(stop.get_token()).ok());
        statuses_[i] = camera.status();
        pipeline.End();
        recorder_->OnCameraEnd(i);
        time.Leave(i);
      });
    }
    threads.clear();
    recorder_->Finish();
    return TakeAll();
  }

  std::unique_ptr<Recorder> recorder_;
  std::vector<CameraStatus> statuses_;

 private:
  struct Samples : SampleSink {
    Samples(Recorder& recorder, TriggerEngine& engine) : recorder(recorder), engine(engine) {}
    void OnSample(const SignalSample& sample) override {
      recorder.OnSample(sample);
      engine.OnSample(sample);
    }
    Recorder& recorder;
    TriggerEngine& engine;
  };
};

}  // namespace gleaner::edge

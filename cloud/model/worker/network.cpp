#include "cloud/model/worker/network.h"

#include <fmt/format.h>

#include <cmath>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "common/status.h"

namespace gleaner::cloud::model {
namespace {

// Whatever OpenCV and the standard library throw over a file that is none of ours, as a status.
template <typename Deed>
absl::Status Catch(std::string_view what, Deed deed) {
  try {
    return deed();
  } catch (const cv::Exception& error) {
    const std::string& why = error.err.empty() ? error.msg : error.err;
    return absl::FailedPreconditionError(fmt::format("{}: {}", what, why));
  } catch (const std::bad_alloc&) {
    return absl::FailedPreconditionError(
        fmt::format("{}: it needs more memory than a model may have", what));
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(fmt::format("{}: {}", what, error.what()));
  }
}

absl::StatusOr<Answer> Copy(const std::string& layer, const cv::Mat& from) {
  const cv::Mat whole = from.isContinuous() ? from : from.clone();
  if (whole.type() != CV_32F) {
    return absl::FailedPreconditionError(
        fmt::format("the layer {} doesn't answer with numbers", layer));
  }
  Answer answer;
  for (int i = 0; i < whole.dims; ++i) answer.shape.push_back(whole.size[i]);
  const auto* values = whole.ptr<float>();
  answer.values.assign(values, values + whole.total());
  for (const float value : answer.values) {
    if (!std::isfinite(value)) {
      return absl::FailedPreconditionError(
          fmt::format("the layer {} answers with what is no number", layer));
    }
  }
  return answer;
}

}  // namespace

struct Network::State {
  cv::dnn::Net net;
  Input input;
};

Network::Network(std::unique_ptr<State> state) : state_(std::move(state)) {}
Network::Network(Network&&) noexcept = default;
Network::~Network() = default;

void Network::Prepare() {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::setNumThreads(1);
  cv::ocl::setUseOpenCL(false);
  // What is found out once, at the first convolution and the first change of a picture's size.
  cv::Mat small, picture(8, 8, CV_8UC3, cv::Scalar(1, 2, 3));
  cv::resize(picture, small, {4, 4}, 0, 0, cv::INTER_LINEAR);
  cv::dnn::LayerParams layer;
  layer.name = "warm";
  layer.type = "Convolution";
  layer.set("kernel_size", 3);
  layer.set("num_output", 1);
  layer.set("bias_term", false);
  int shape[] = {1, 3, 3, 3};
  layer.blobs.emplace_back(4, shape, CV_32F, cv::Scalar(1));
  cv::dnn::Net net;
  net.addLayerToPrev(layer.name, layer.type, layer);
  net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
  net.setInput(cv::dnn::blobFromImage(small));
  net.forward();
}

absl::StatusOr<Network> Network::Load(std::string_view onnx, const Input& input) {
  auto state = std::make_unique<State>();
  state->input = input;
  RETURN_IF_ERROR(Catch("the model can't be read", [&] {
    state->net = cv::dnn::readNetFromONNX(onnx.data(), onnx.size());
    state->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    state->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return state->net.empty() ? absl::FailedPreconditionError("the model has no layers")
                              : absl::OkStatus();
  }));
  return Network(std::move(state));
}

absl::StatusOr<std::vector<Answer>> Network::Run(const Pixels& pixels,
                                                 const std::vector<std::string>& layers) {
  std::vector<Answer> answers;
  RETURN_IF_ERROR(Catch("the model can't be run", [&]() -> absl::Status {
    const Input& input = state_->input;
    std::vector<cv::String> names;
    for (const std::string& layer : layers) {
      // As its output is called, or as OpenCV calls a node that has a name of its own.
      const std::string marked = "onnx_node!" + layer;
      const bool plain = state_->net.getLayerId(layer) >= 0;
      if (!plain && state_->net.getLayerId(marked) < 0) {
        return absl::FailedPreconditionError(
            fmt::format("the model has no layer called {}", layer));
      }
      names.push_back(plain ? layer : marked);
    }
    const cv::Mat picture(pixels.height, pixels.width, CV_8UC3,
                          const_cast<uint8_t*>(pixels.bytes.data()));
    cv::Mat fitted;
    cv::resize(picture, fitted, {input.width, input.height}, 0, 0, cv::INTER_LINEAR);
    const int shape[] = {1, 3, input.height, input.width};
    cv::Mat blob(4, shape, CV_32F);
    const int area = input.width * input.height;
    for (int channel = 0; channel < 3; ++channel) {
      const auto c = static_cast<size_t>(channel);
      float* plane = blob.ptr<float>() + channel * area;
      const uint8_t* from = fitted.ptr<uint8_t>() + channel;
      for (int i = 0; i < area; ++i) {
        plane[i] = (static_cast<float>(from[3 * i]) - input.mean[c]) * input.scale[c];
      }
    }
    state_->net.setInput(blob);
    std::vector<cv::Mat> outs;
    state_->net.forward(outs, names);
    for (size_t i = 0; i < layers.size(); ++i) {
      ASSIGN_OR_RETURN(Answer answer, Copy(layers[i], outs.at(i)));
      answers.push_back(std::move(answer));
    }
    return absl::OkStatus();
  }));
  return answers;
}

}  // namespace gleaner::cloud::model

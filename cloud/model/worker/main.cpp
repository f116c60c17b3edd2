// gleaner-model: runs one model on pictures and says what it finds in them.
//
// Started by gleaner-cloud for each clip, never by hand. It reads its request, gives up every right
// it has (../../sandbox/inside/sandbox.h), and only then looks at the model and the pictures: none
// of them is trusted.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_split.h"
#include "cloud/model/worker/detections.h"
#include "cloud/model/worker/network.h"
#include "cloud/model/worker/pixels.h"
#include "cloud/model/worker_protocol.h"
#include "cloud/sandbox/descriptors.h"
#include "cloud/sandbox/inside/sandbox.h"
#include "common/file.h"
#include "common/status.h"
#include "common/version.h"

namespace gleaner::cloud::model {
namespace {

using sandbox::kInputFd;
using sandbox::kRequestFd;

constexpr int kNiceness = 10;

struct Request {
  RequestHead head;
  std::string scores, boxes, embedding;
  std::vector<std::string> pictures;
};

absl::StatusOr<Request> ReadRequest() {
  Request request;
  RequestHead& head = request.head;
  RETURN_IF_ERROR(ReadAt(kRequestFd, &head, sizeof(head), 0));
  uint64_t at = sizeof(head);
  if (head.magic != kRequestMagic || head.pictures > kMaxPictures || head.labels > kMaxLabels ||
      head.width > kMaxInputSide || head.height > kMaxInputSide ||
      head.names_bytes > 4 * (kMaxLayerBytes + 1)) {
    return absl::InvalidArgumentError("not a request");
  }
  std::string names(head.names_bytes, '\0');
  RETURN_IF_ERROR(ReadAt(kRequestFd, names.data(), names.size(), at));
  at += names.size();
  const std::vector<std::string> layers = absl::StrSplit(names, '\0');
  if (layers.size() != 4) return absl::InvalidArgumentError("not a request");
  request.scores = layers[0];
  request.boxes = layers[1];
  request.embedding = layers[2];
  std::vector<uint32_t> sizes(head.pictures);
  RETURN_IF_ERROR(ReadAt(kRequestFd, sizes.data(), sizes.size() * sizeof(uint32_t), at));
  at += sizes.size() * sizeof(uint32_t);
  if (std::accumulate(sizes.begin(), sizes.end(), uint64_t{0}) > kMaxPicturesBytes) {
    return absl::InvalidArgumentError("not a request");
  }
  for (const uint32_t size : sizes) {
    std::string& picture = request.pictures.emplace_back(size, '\0');
    RETURN_IF_ERROR(ReadAt(kRequestFd, picture.data(), size, at));
    at += size;
  }
  return request;
}

bool Write(PieceKind kind, std::string_view payload) {
  return sandbox::WritePiece(static_cast<uint32_t>(kind), payload);
}

bool WriteText(PieceKind kind, const absl::Status& status) {
  return Write(kind, Message(status).substr(0, kMaxTextBytes));
}

// Without more than the model may have in all.
absl::StatusOr<std::string> ReadModel() {
  const off_t size = ::lseek(kInputFd, 0, SEEK_END);
  if (size <= 0 || static_cast<uint64_t>(size) > kMaxModelBytes) {
    return absl::FailedPreconditionError(
        fmt::format("the model has {} bytes; 1 to {} are allowed", size, kMaxModelBytes));
  }
  std::string bytes(static_cast<size_t>(size), '\0');
  RETURN_IF_ERROR(ReadAt(kInputFd, bytes.data(), bytes.size(), 0));
  return bytes;
}

template <typename T>
void Append(std::string& to, const std::vector<T>& values) {
  to.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

// What the model says of one picture, as a piece's payload.
absl::StatusOr<std::string> Look(Network& network, const Request& request, const Pixels& pixels) {
  std::vector<std::string> layers;
  const bool finds = request.head.labels > 0;
  if (finds) layers = {request.scores, request.boxes};
  if (!request.embedding.empty()) layers.push_back(request.embedding);
  ASSIGN_OR_RETURN(const std::vector<Answer> answers, network.Run(pixels, layers));
  std::vector<Detection> found;
  if (finds) {
    ASSIGN_OR_RETURN(
        found, FindBoxes(answers[0], answers[1], request.head.labels, request.head.threshold));
  }
  std::vector<float> embedding;
  if (!request.embedding.empty()) embedding = answers.back().values;
  if (embedding.size() > kMaxDims) {
    return absl::FailedPreconditionError(
        fmt::format("the layer {} answers with {} numbers; at most {} make an embedding",
                    request.embedding, embedding.size(), kMaxDims));
  }
  const ResultHead head{.detections = static_cast<uint32_t>(found.size()),
                        .dims = static_cast<uint32_t>(embedding.size())};
  std::string payload(reinterpret_cast<const char*>(&head), sizeof(head));
  Append(payload, found);
  Append(payload, embedding);
  return payload;
}

absl::Status LookAtAll(const Request& request) {
  const RequestHead& head = request.head;
  Input input{.width = static_cast<int>(head.width), .height = static_cast<int>(head.height)};
  std::copy(std::begin(head.mean), std::end(head.mean), input.mean.begin());
  std::copy(std::begin(head.scale), std::end(head.scale), input.scale.begin());
  ASSIGN_OR_RETURN(std::string onnx, ReadModel());
  ASSIGN_OR_RETURN(Network network, Network::Load(onnx, input));
  onnx = {};
  for (const std::string& jpeg : request.pictures) {
    const auto pixels = ReadJpeg(jpeg, head.width, head.height, head.rgb != 0);
    if (!pixels.ok()) {
      WriteText(PieceKind::kRefused, pixels.status());
      continue;
    }
    ASSIGN_OR_RETURN(const std::string said, Look(network, request, *pixels));
    if (!Write(PieceKind::kResult, said)) return absl::CancelledError("nobody reads");
  }
  return absl::OkStatus();
}

int Work() {
  // Taking clips in and serving them come first.
  (void)!::nice(kNiceness);
  auto request = ReadRequest();
  absl::Status begun = request.status();
  if (begun.ok()) {
    Network::Prepare();
    begun = sandbox::EnterSandbox(
        {.cpu_seconds = request->head.cpu_seconds, .heap_bytes = request->head.memory_bytes});
  }
  if (!begun.ok()) {
    WriteText(PieceKind::kTrouble, begun);
    return 1;
  }
  absl::Status done;
  try {
    done = LookAtAll(*request);
  } catch (const std::bad_alloc&) {
    done = absl::FailedPreconditionError("the model needs more memory than it may have");
  }
  if (!done.ok()) WriteText(PieceKind::kFault, done);
  return 0;
}

}  // namespace
}  // namespace gleaner::cloud::model

int main(int argc, char** argv) {
  CLI::App app{"gleaner-model: runs one model on pictures in a sandbox. gleaner-cloud starts it."};
  app.set_version_flag("--version", std::string(gleaner::Version()));
  bool self_test = false;
  app.add_flag("--self-test-sandbox", self_test,
               "Try what the sandbox must stop, print the result, exit 0 if it holds");
  CLI11_PARSE(app, argc, argv);
  if (self_test) return gleaner::cloud::sandbox::TestSandbox() ? 0 : 1;
  // No destructors, no atexit handlers: they may want what the sandbox forbids, and there is
  // nothing left to do.
  _exit(gleaner::cloud::model::Work());
}

#include "cloud/model/model_run.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "cloud/sandbox/process.h"
#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

using End = sandbox::Outcome::End;

absl::Status Useless(const ModelConfig& model, std::string_view why) {
  return absl::FailedPreconditionError(
      fmt::format("the model {} {}: {}", model.name, model.version, why));
}

template <typename T>
std::string_view AsText(const T* values, size_t count) {
  return {reinterpret_cast<const char*>(values), count * sizeof(T)};
}

}  // namespace

absl::StatusOr<std::vector<model::Said>> RunModel(const ModelsConfig& config,
                                                  const ModelConfig& model,
                                                  const std::vector<std::string>& pictures,
                                                  const std::stop_token& stop) {
  const auto file = OpenFile(model.file, O_RDONLY);
  if (!file.ok()) return absl::UnavailableError(file.status().message());
  const std::string names =
      model.scores + '\0' + model.boxes + '\0' + model.embedding + std::string(1, '\0');
  model::RequestHead head{.magic = model::kRequestMagic,
                          .kind = static_cast<uint32_t>(model.kind),
                          .width = model.width,
                          .height = model.height,
                          .rgb = model.rgb ? 1u : 0u,
                          .mean = {},
                          .scale = {},
                          .threshold = static_cast<float>(model.threshold),
                          .labels = static_cast<uint32_t>(model.labels.size()),
                          .cpu_seconds = sandbox::CpuSeconds(config.cpu_ns),
                          .memory_bytes = config.memory_bytes,
                          .names_bytes = static_cast<uint32_t>(names.size()),
                          .pictures = static_cast<uint32_t>(pictures.size())};
  std::copy(model.mean.begin(), model.mean.end(), head.mean);
  std::copy(model.scale.begin(), model.scale.end(), head.scale);
  std::vector<uint32_t> sizes;
  std::vector<std::string_view> parts = {AsText(&head, 1), names, ""};
  for (const std::string& picture : pictures) {
    sizes.push_back(static_cast<uint32_t>(picture.size()));
    parts.emplace_back(picture);
  }
  parts[2] = AsText(sizes.data(), sizes.size());
  ASSIGN_OR_RETURN(const Fd request, sandbox::MakeRequest(parts));
  const model::Wanted wanted{
      .pictures = pictures.size(), .labels = head.labels, .embedding = !model.embedding.empty()};
  // Threads would be more than the sandbox allows, and drivers of graphics cards, too.
  ASSIGN_OR_RETURN(
      const sandbox::Outcome outcome,
      sandbox::Run({.program = config.worker,
                    .input_fd = file->get(),
                    .request = request,
                    .environment = {"OPENBLAS_NUM_THREADS=1", "OPENCV_OPENCL_RUNTIME=disabled"},
                    .max_answer_bytes = model::MaxAnswerBytes(wanted),
                    .cpu_ns = config.cpu_ns,
                    .called = "the model worker",
                    .worker = "its worker",
                    .doing = "looking at the frames of a clip",
                    .payer = "a clip"},
                   stop));
  if (outcome.end == End::kStopped) return Useless(model, outcome.how);
  auto said = model::ParseAnswer(outcome.said, wanted);
  if (said.ok() && outcome.end == End::kWell) return said;
  if (absl::IsUnavailable(said.status())) return said.status();
  return Useless(model, outcome.end == End::kWell ? Message(said.status()) : outcome.how);
}

}  // namespace gleaner::cloud

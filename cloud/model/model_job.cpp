#include "cloud/model/model_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "cloud/jobs/jobs.h"
#include "cloud/label/schemas.h"
#include "cloud/media/worker_process.h"
#include "cloud/media/worker_protocol.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr uint32_t kPage = 500;
// Smaller than this, a picture isn't made: a model that wants 300 pixels is better given twice that
// by a decoder that scales well.
constexpr uint32_t kLeastSide = 640;

v1::FrameId IdOf(const FrameName& name) {
  v1::FrameId id;
  id.set_clip(name.clip);
  id.set_camera(name.camera);
  id.set_pts(name.pts);
  return id;
}

bool HasDirection(const std::vector<float>& vector) {
  return std::any_of(vector.begin(), vector.end(), [](float value) { return value != 0; });
}

}  // namespace

std::string ModelJobKind(std::string_view model) { return fmt::format("model-{}", model); }

void AskForModel(Sql& sql, const ModelConfig& model, std::string_view device,
                 std::string_view clip_id, int64_t now_unix_ns) {
  AddJob(sql, {.kind = ModelJobKind(model.name), .subject = clip_id, .share = device}, now_unix_ns);
}

JobKind ModelJob::Kind() {
  return {.name = ModelJobKind(model_.name),
          .at_once = config_.at_once,
          .run = [this](JobRun& run) { return Run(run); }};
}

uint32_t ModelJob::MaxSide() const {
  return std::max(kLeastSide, 2 * std::max(model_.width, model_.height));
}

bool ModelJob::IsToBeLookedAt(Sql& sql, const FrameName& name) const {
  if (!model_.schema.empty() &&
      !HasPrediction(sql, IdOf(name), model_.schema, model_.name, model_.version)) {
    return true;
  }
  if (!KeepsEmbeddings()) return false;
  return !options_.has_embedding || !options_.has_embedding(sql, name, FullName());
}

absl::StatusOr<std::vector<FrameName>> ModelJob::FramesToLookAt(const std::string& clip) {
  std::vector<FrameName> names;
  v1::ListFramesRequest request;
  request.set_clip(clip);
  request.set_page_size(kPage);
  do {
    ASSIGN_OR_RETURN(const v1::ListFramesResponse page, frames_.List(request, {}));
    for (const v1::Frame& frame : page.frames()) {
      names.push_back(
          {.clip = frame.id().clip(), .camera = frame.id().camera(), .pts = frame.id().pts()});
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<FrameName>> {
    std::erase_if(names, [&](const FrameName& name) { return !IsToBeLookedAt(sql, name); });
    return names;
  });
}

absl::StatusOr<std::map<std::string, ModelJob::Video>> ModelJob::VideosOf(
    const std::vector<FrameName>& names) {
  std::map<std::string, Video> videos;
  for (const FrameName& name : names) {
    auto [video, is_new] = videos.try_emplace(name.camera);
    if (is_new) {
      ASSIGN_OR_RETURN(video->second.place, frames_.FindVideo(name));
    }
    video->second.times.push_back(name.pts);
  }
  for (auto& [camera, video] : videos) std::sort(video.times.begin(), video.times.end());
  return videos;
}

absl::Status ModelJob::Look(JobRun& run, Batch& batch, std::vector<Seen>* seen) {
  if (batch.pictures.empty()) return absl::OkStatus();
  const int64_t begun_ns = clock_.MonotonicNs();
  ASSIGN_OR_RETURN(std::vector<model::Said> said,
                   RunModel(config_, model_, batch.pictures, run.stop()));
  if (options_.on_frames) {
    options_.on_frames(model_, said.size(),
                       static_cast<double>(clock_.MonotonicNs() - begun_ns) / kNanosPerSecond);
  }
  for (size_t i = 0; i < said.size(); ++i) {
    seen->push_back({.name = std::move(batch.names[i]), .said = std::move(said[i])});
  }
  batch = {};
  return absl::OkStatus();
}

absl::Status ModelJob::Run(JobRun& run) {
  const std::string& clip = run.job().subject();
  const auto names = FramesToLookAt(clip);
  if (absl::IsNotFound(names.status())) return run.Finish("the clip is gone");
  if (!names.ok()) return names.status();
  if (names->empty()) return run.Finish("no frames that it hasn't looked at");
  const auto videos = VideosOf(*names);
  if (absl::IsNotFound(videos.status())) return run.Finish("the clip is gone");
  if (!videos.ok()) return videos.status();
  std::vector<Seen> seen;
  Batch batch;
  size_t done = 0;
  for (const auto& [camera, video] : *videos) {
    const auto copy = objects_.OpenCopy(video.place.key);
    if (absl::IsNotFound(copy.status())) return run.Finish("the video is missing from the store");
    if (!copy.ok()) return absl::UnavailableError(copy.status().message());
    for (size_t at = 0; at < video.times.size(); at += media::kMaxPicturesAtOnce) {
      run.Report(static_cast<double>(done) / static_cast<double>(names->size()),
                 fmt::format("frame {} of {}", done, names->size()));
      const auto first = video.times.begin() + static_cast<ptrdiff_t>(at);
      const size_t count = std::min<size_t>(media::kMaxPicturesAtOnce, video.times.size() - at);
      auto pictures = media::RunForPictures(options_.media_worker, copy->get(), video.place.track,
                                            {first, first + static_cast<ptrdiff_t>(count)},
                                            MaxSide(), options_.picture_cpu_ns, run.stop());
      done += count;
      if (absl::IsFailedPrecondition(pictures.status())) continue;  // none of them can be had
      if (!pictures.ok()) return pictures.status();
      for (media::FoundPicture& picture : *pictures) {
        if (batch.pictures.size() == model::kMaxPictures ||
            batch.bytes + picture.jpeg.size() > model::kMaxPicturesBytes) {
          RETURN_IF_ERROR(Look(run, batch, &seen));
        }
        batch.bytes += picture.jpeg.size();
        batch.names.push_back({.clip = clip, .camera = camera, .pts = picture.pts});
        batch.pictures.push_back(std::move(picture.jpeg));
      }
    }
  }
  RETURN_IF_ERROR(Look(run, batch, &seen));
  std::erase_if(seen, [](const Seen& one) { return !one.said.refused.empty(); });
  const size_t missing = names->size() - seen.size();
  if (seen.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("none of {} pictures could be had or read", names->size()));
  }
  std::string told;
  if (!model_.schema.empty()) {
    const absl::Status there =
        database_.Read([&](Sql& sql) { return ReadSchema(sql, model_.schema); }).status();
    if (absl::IsNotFound(there)) {
      told = fmt::format(
          "; no predictions: there is no schema {} yet. Make it, then: gleaner models run {}",
          model_.schema, model_.name);
    } else if (!there.ok()) {
      return there;
    }
  }
  if (missing > 0) told = fmt::format(", {} couldn't be had or read", missing) + told;
  return run.Finish(fmt::format("{} frames{}", seen.size(), told),
                    [&](Sql& sql) { return Write(sql, seen); });
}

absl::StatusOr<std::vector<ModelSaid>> ModelJob::InTermsOf(const v1::LabelSchema& schema,
                                                           const std::vector<Seen>& seen) const {
  std::vector<uint32_t> ids(model_.labels.size(), 0);
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto name = model_.classes.find(model_.labels[i]);
    if (name == model_.classes.end()) continue;
    for (const v1::LabelClass& one : schema.classes()) {
      if (one.name() == name->second) ids[i] = one.id();
    }
    if (ids[i] == 0) {
      return absl::FailedPreconditionError(
          fmt::format("schema {} has no class {}, which the model {} is to predict", schema.name(),
                      name->second, model_.name));
    }
  }
  if (schema.kind() != v1::LabelSchema::KIND_BOXES) {
    return absl::FailedPreconditionError(fmt::format(
        "schema {} isn't one of boxes, which the model {} finds", schema.name(), model_.name));
  }
  std::vector<ModelSaid> all;
  for (const Seen& one : seen) {
    ModelSaid& said = all.emplace_back();
    said.frame = IdOf(one.name);
    for (const model::Detection& found : one.said.detections) {
      if (ids[found.label] == 0) continue;
      v1::LabelBox* box = said.annotation.add_boxes();
      box->set_class_id(ids[found.label]);
      box->set_confidence(found.score);
      box->set_x(found.left);
      box->set_y(found.top);
      box->set_width(std::min<double>(found.right - found.left, 1.0 - box->x()));
      box->set_height(std::min<double>(found.bottom - found.top, 1.0 - box->y()));
    }
  }
  return all;
}

absl::Status ModelJob::Write(Sql& sql, const std::vector<Seen>& all) {
  // A check of the clip may have taken other frames out of it meanwhile.
  std::vector<Seen> seen;
  for (const Seen& one : all) {
    if (ReadFrame(sql, one.name).ok()) seen.push_back(one);
  }
  // What fails does so before anything is changed.
  std::vector<ModelSaid> said;
  auto schema = model_.schema.empty() ? absl::StatusOr<v1::LabelSchema>(absl::NotFoundError(""))
                                      : ReadSchema(sql, model_.schema);
  if (schema.ok()) {
    ASSIGN_OR_RETURN(said, InTermsOf(*schema, seen));
  } else if (!absl::IsNotFound(schema.status())) {
    return schema.status();
  }
  if (KeepsEmbeddings()) {
    const std::string name = FullName();
    for (const Seen& one : seen) {
      if (!HasDirection(one.said.embedding)) continue;
      RETURN_IF_ERROR(options_.keep_embedding(sql, one.name, name, one.said.embedding));
    }
  }
  if (!schema.ok()) return absl::OkStatus();
  return WritePredictions(sql, *schema, model_.name, model_.version, said, "server",
                          clock_.WallNs())
      .status();
}

}  // namespace gleaner::cloud

// A catalog with frames, and what chooses of them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "cloud/clips/clip_words.h"
#include "cloud/curate/selection_words.h"
#include "cloud/curate/selections.h"
#include "cloud/curate/selector.h"
#include "cloud/frames/frame_rows.h"
#include "cloud/frames/frame_words.h"
#include "cloud/label/label_words.h"
#include "cloud/label/labels.h"
#include "cloud/label/predictions.h"
#include "cloud/label/schemas.h"
#include "cloud/similar/duplicates.h"
#include "cloud/similar/embeddings.h"
#include "common/status.h"
#include "tests/cloud/catalog/catalog_testing.h"
#include "tests/data/temporary_folder.h"

namespace gleaner::cloud {

inline const Vocabulary& TestWords() {
  static const Vocabulary& words = []() -> const Vocabulary& {
    auto* all = new Vocabulary;
    for (auto&& room : {ClipWords(), FrameWords(), LabelWords(), SelectionWords()}) {
      if (!all->Add(room).ok()) std::abort();
    }
    return *all;
  }();
  return words;
}

// Opens, or opens again, what lies in a folder.
class CurateRig {
 public:
  static constexpr int64_t kDay = 1'700'000'000 * kNanosPerSecond;

  explicit CurateRig(const std::string& folder, size_t most = Pool::kMaxFrames) {
    const bool is_new = !std::filesystem::exists(folder + "/catalog.db");
    catalog = OpenTestCatalog(folder + "/catalog.db").value();
    jobs = std::make_unique<Jobs>(catalog->database(), clock);
    selector = std::make_unique<Selector>(catalog->database(), clock, TestWords(), most);
    selections = std::make_unique<Selections>(catalog->database(), *jobs, clock, TestWords());
    if (is_new) MakeSchema();
  }

  // A clip with so many frames, at 0, 1000, … Each has an embedding by its place, and two after
  // each other, at 0 and 1000, at 2000 and 3000, …, are near-duplicates.
  std::vector<FrameName> AddClip(uint64_t sequence, size_t frames) {
    const std::string device = fmt::format("cart-{}", sequence % 3);
    const TestClip clip =
        MakeTestClip({.device = device,
                      .site = fmt::format("store-{}", sequence % 2),
                      .sequence = sequence,
                      .fired_ns = kDay + static_cast<int64_t>(sequence) * kNanosPerSecond});
    CommitTestClip(*catalog, clip).IgnoreError();
    const std::string id = ClipId(device, clip.upload.key);
    CheckedVideo video;
    video.thumbnails = Hex(AsBytes(Sha256::Of("thumbnails" + id))).substr(0, 32);
    std::vector<FrameName> names;
    for (size_t i = 0; i < frames; ++i) {
      const uint64_t place = sequence * 100 + i;
      video.frames.push_back({.pts = static_cast<int64_t>(i) * 1000,
                              .reasons = media::ReasonBit(v1::Frame::REASON_EVENLY),
                              .phash = place,
                              .sharpness = 0.5,
                              .grid = Squares(place / 2)});
      names.push_back({id, "front", static_cast<int64_t>(i) * 1000});
    }
    Write([&](Sql& sql) {
      const std::vector<CheckedVideo> videos = {video};
      const CheckedClip checked{.id = id, .manifest = clip.manifest, .videos = videos};
      RecordFrames(sql, checked);
      JoinClusters(sql, checked);
      return absl::OkStatus();
    });
    for (size_t i = 0; i < frames; ++i) {
      Embed(names[i], "test-embedding", Direction(sequence, sequence * 100 + i));
    }
    return names;
  }
  void Embed(const FrameName& frame, const std::string& model, const std::vector<float>& vector) {
    Write([&](Sql& sql) { return PutEmbedding(sql, frame, model, vector); });
  }
  // What the room of frames learns by itself, in time.
  void MakeBackground(const FrameName& frame) {
    Write([&](Sql& sql) {
      sql.Run(
          "UPDATE frame SET background = :yes WHERE pts = :pts AND arrival = (SELECT arrival "
          "FROM clip WHERE id = :clip)",
          In(static_cast<int>(v1::Frame::BACKGROUND_YES), frame.pts, frame.clip));
      return absl::OkStatus();
    });
  }

  static v1::LabelBox Box(double x, uint32_t class_id, double confidence = 0) {
    v1::LabelBox box;
    box.set_x(x);
    box.set_y(.25);
    box.set_width(.25);
    box.set_height(.25);
    box.set_class_id(class_id);
    box.set_confidence(confidence);
    return box;
  }
  void Predict(const FrameName& frame, const std::vector<v1::LabelBox>& boxes,
               const std::string& model = "ssd") {
    v1::ImportPredictionsRequest request;
    request.set_schema("carts");
    request.set_model(model);
    request.set_model_version("1");
    std::string list;
    for (const v1::LabelBox& box : boxes) {
      list +=
          fmt::format(R"({}{{"x":{},"y":{},"width":{},"height":{},"classId":{},"confidence":{}}})",
                      list.empty() ? "" : ",", box.x(), box.y(), box.width(), box.height(),
                      box.class_id(), box.confidence());
    }
    request.set_json_lines(fmt::format(
        R"({{"frame":{{"clip":"{}","camera":"{}","pts":"{}"}},"annotation":{{"boxes":[{}]}}}})",
        frame.clip, frame.camera, frame.pts, list));
    Check(Predictions(catalog->database()).Import(request, who, clock.WallNs()).status());
  }
  void Label(const FrameName& frame, uint32_t class_id, uint32_t human_ms = 2000,
             v1::Label::Verdict verdict = v1::Label::VERDICT_CREATED) {
    v1::SaveLabelRequest request;
    request.mutable_frame()->set_clip(frame.clip);
    request.mutable_frame()->set_camera(frame.camera);
    request.mutable_frame()->set_pts(frame.pts);
    request.set_schema("carts");
    request.set_verdict(verdict);
    request.set_human_ms(human_ms);
    *request.mutable_annotation()->add_boxes() = Box(.25, class_id);
    Check(Labels(catalog->database()).Create(request, who, clock.WallNs()).status());
  }

  static v1::CreateSelectionRequest Request(const std::string& name, uint32_t budget = 6) {
    v1::CreateSelectionRequest request;
    request.set_name(name);
    request.set_schema("carts");
    request.set_budget(budget);
    return request;
  }
  absl::StatusOr<v1::Job> Ask(const v1::CreateSelectionRequest& request) {
    return selections->Create(request, "ann", [](Sql&) { return absl::OkStatus(); });
  }
  // Does the job that was asked for last.
  absl::Status Work() {
    // What a server that was killed had begun.
    (void)jobs->TakeBack(kSelectJob, true);
    const auto claimed = jobs->Claim(kSelectJob, "curate", "me");
    if (!claimed.ok()) return claimed.status();
    if (!*claimed) return absl::NotFoundError("no job waits");
    JobRun run(*jobs, **claimed);
    const absl::Status status = selector->Run(run);
    if (!status.ok()) {
      jobs->Fail((*claimed)->claim, Message(status), true, 0).IgnoreError();
    }
    return status;
  }
  absl::StatusOr<v1::GetSelectionResponse> Select(const v1::CreateSelectionRequest& request) {
    const auto job = Ask(request);
    if (!job.ok()) return job.status();
    if (absl::Status status = Work(); !status.ok()) return status;
    return Get(request.name());
  }
  absl::StatusOr<v1::GetSelectionResponse> Get(const std::string& name) {
    v1::GetSelectionRequest request;
    request.set_name(name);
    request.set_page_size(500);
    return selections->Get(request);
  }

  FakeClock clock{1'000 * kNanosPerSecond, kDay + 86'400 * kNanosPerSecond};
  Principal who{.name = "ann", .role = v1::ROLE_ANNOTATOR};
  std::unique_ptr<TestCatalog> catalog;
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<Selector> selector;
  std::unique_ptr<Selections> selections;

 private:
  static void Check(const absl::Status& status) {
    if (!status.ok()) throw std::runtime_error(std::string(Message(status)));
  }
  void Write(const Database::Operation& operation) { Check(catalog->database().Write(operation)); }
  void MakeSchema() {
    v1::LabelSchema schema;
    schema.set_name("carts");
    schema.set_kind(v1::LabelSchema::KIND_BOXES);
    for (const char* name : {"bottle", "mug"}) {
      v1::LabelClass* one = schema.add_classes();
      one->set_id(static_cast<uint32_t>(schema.classes_size()));
      one->set_name(name);
    }
    Check(Schemas(catalog->database()).Create(schema, who, clock.WallNs()).status());
  }

  // Large squares of a brightness that the seed says.
  static media::LumaGrid Squares(uint64_t seed) {
    constexpr size_t kSide = media::kGridSide, kSquare = 8, kSquares = kSide / kSquare;
    std::mt19937 random(static_cast<uint32_t>(seed));
    std::array<uint8_t, kSquares * kSquares> squares{};
    for (uint8_t& one : squares) one = static_cast<uint8_t>(random() % 256);
    media::LumaGrid grid{};
    for (size_t y = 0; y < kSide; ++y) {
      for (size_t x = 0; x < kSide; ++x) {
        grid[y * kSide + x] = squares[y / kSquare * kSquares + x / kSquare];
      }
    }
    return grid;
  }
  // Longer than a pool's.
  static std::vector<float> Direction(uint64_t sequence, uint64_t place) {
    std::vector<float> vector(300, 0.01F);
    vector[place % 300] += 1;
    vector[sequence % 300] += 2;
    return vector;
  }
};

}  // namespace gleaner::cloud

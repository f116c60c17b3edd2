#include "cloud/dataset/freezer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cloud/database/columns.h"
#include "cloud/dataset/dataset_rows.h"
#include "cloud/dataset/leak_check.h"
#include "cloud/dataset/spool_file.h"
#include "cloud/label/schemas.h"
#include "cloud/rpc/principal.h"
#include "common/crash_point.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner::cloud {
namespace {

using nlohmann::json;

constexpr size_t kPage = 500;

// Reasons for leaving a labelled frame out; the card says them.
constexpr const char* kTied = "looks like a frame of another split";
constexpr const char* kWithoutLabel = "nothing is in it, and such frames were not wanted";
constexpr const char* kLowRole = "its reviewer's role is too low";
constexpr const char* kNoPicture = "its picture can't be had";
constexpr const char* kGone = "it is not among the frames of its clip any more";
constexpr const char* kNotFound = "the filter doesn't find it";
constexpr const char* kNotDrawn = "not among those drawn by the seed";

absl::Status ThereAlready(std::string_view name) {
  return absl::FailedPreconditionError(fmt::format("there is a dataset {} already", name));
}

absl::Status Cancelled() { return absl::CancelledError("freezing was asked to end"); }

// By which frames are drawn, lowest first.
uint64_t LotOf(uint64_t seed, const FrameName& name) {
  const Sha256Digest digest = Sha256::Of(
      fmt::format("gleaner.draw.v1\n{}\n{}\n{}\n{}", seed, name.clip, name.camera, name.pts));
  uint64_t lot = 0;
  for (size_t i = 0; i < 8; ++i) lot = lot << 8 | digest[i];
  return lot;
}

// A side of a box, in millionths, within the picture.
void Place(double start, double length, int64_t* from, int64_t* size) {
  const auto millionths = [](double share) {
    return std::clamp<int64_t>(std::llround(share * static_cast<double>(kWholeSide)), 0,
                               kWholeSide);
  };
  *from = millionths(start);
  *size = millionths(start + length) - *from;
}

}  // namespace

std::string FreezeOrder::ToJson() const {
  return json{{"name", name},         {"schema", schema},
              {"filter", filter},     {"by", by},
              {"as_of_ns", as_of_ns}, {"least_role", static_cast<int>(least_role)},
              {"seed", seed},         {"leave_out_empty", leave_out_empty},
              {"most", most}}
      .dump();
}

absl::StatusOr<FreezeOrder> FreezeOrder::FromJson(std::string_view text) {
  const json parsed = json::parse(text, nullptr, false);
  try {
    FreezeOrder order;
    order.name = parsed.at("name");
    order.schema = parsed.at("schema");
    order.filter = parsed.at("filter");
    order.by = parsed.at("by");
    order.as_of_ns = parsed.at("as_of_ns");
    order.least_role = static_cast<v1::Role>(parsed.at("least_role").get<int>());
    order.seed = parsed.at("seed");
    order.leave_out_empty = parsed.at("leave_out_empty");
    order.most = parsed.at("most");
    return order;
  } catch (const json::exception&) {
    return absl::InvalidArgumentError("the job's parameters are none of this kind");
  }
}

// What one attempt knows.
class Freezer::Attempt {
 public:
  Attempt(Freezer& freezer, JobRun& run, FreezeOrder order, Filter filter)
      : freezer_(freezer),
        run_(run),
        order_(std::move(order)),
        filter_(std::move(filter)),
        list_(freezer.database_, freezer.objects_, AttemptOwner(run.claim()),
              freezer.options_.leave_free) {}

  absl::Status Run() {
    RETURN_IF_ERROR(GiveUpLostParts(freezer_.database_));
    RETURN_IF_ERROR(DescribeHead());
    ASSIGN_OR_RETURN(SpoolFile chosen, SpoolFile::Make(freezer_.options_.folder));
    RETURN_IF_ERROR(Choose(chosen));
    GLEANER_CRASH_POINT("dataset.chosen");
    RETURN_IF_ERROR(WriteList(chosen));
    GLEANER_CRASH_POINT("dataset.list_stored");
    return Finish();
  }

 private:
  // A labelled frame that the filter finds.
  struct Candidate {
    LabelledFrame labelled;
    FrameFacts facts;
    Seal seal;
  };

  bool stopped() const { return run_.stop().stop_requested(); }

  // One page of labelled frames behind *after (null: the first one), which is moved on; null again
  // at the end. All of them are sealed. `gone`: how many aren't among the frames of their clips any
  // more.
  absl::StatusOr<std::vector<Candidate>> Page(std::optional<FrameName>* after, uint64_t* gone) {
    if (stopped()) return Cancelled();
    ASSIGN_OR_RETURN(auto page, freezer_.labels_.Page(
                                    order_.schema, after->has_value() ? &**after : nullptr, kPage));
    after->reset();
    if (page.size() == kPage) *after = page.back().id;
    std::vector<std::string> clips;
    for (const LabelledFrame& one : page) {
      if (clips.empty() || clips.back() != one.id.clip) clips.push_back(one.id.clip);
    }
    std::vector<FrameFacts> unsealed;
    ASSIGN_OR_RETURN(
        auto candidates,
        freezer_.database_.Read([&](Sql& sql) -> absl::StatusOr<std::vector<Candidate>> {
          std::map<FrameName, FrameFacts, decltype(&Before)> facts(&Before);
          RETURN_IF_ERROR(ReadFrameFacts(sql, clips, filter_, [&](const FrameFacts& found) {
            facts.emplace(found.name, found);
          }));
          std::vector<Candidate> found;
          for (LabelledFrame& one : page) {
            const auto its = facts.find(one.id);
            if (its == facts.end()) {
              ++*gone;
              continue;
            }
            RETURN_IF_ERROR(LearnClasses(sql, one.schema_version));
            Seal seal = ReadSeal(sql, one.id);
            if (seal.group.empty()) unsealed.push_back(its->second);
            found.push_back({std::move(one), its->second, std::move(seal)});
          }
          return found;
        }));
    if (unsealed.empty()) return candidates;
    // Frames that came before this room did.
    RETURN_IF_ERROR(freezer_.database_.Write([&](Sql& sql) {
      SealFrames(sql, unsealed);
      for (Candidate& one : candidates) one.seal = ReadSeal(sql, one.facts.name);
      return absl::OkStatus();
    }));
    return candidates;
  }

  // An id means the same class in every version.
  absl::Status LearnClasses(Sql& sql, uint32_t version) {
    if (!learnt_.insert(version).second) return absl::OkStatus();
    ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, order_.schema, version));
    for (const v1::LabelClass& one : schema.classes()) class_names_[one.id()] = one.name();
    return absl::OkStatus();
  }

  FrozenFrame Frozen(const LabelledFrame& labelled, const FrameFacts& facts, Split split,
                     std::string group) {
    FrozenFrame frame;
    frame.name = labelled.id;
    for (const LabelledBox& box : labelled.boxes) {
      FrozenBox& made = frame.boxes.emplace_back();
      made.class_name = class_names_[box.class_id];
      Place(box.x, box.width, &made.x, &made.width);
      Place(box.y, box.height, &made.y, &made.height);
      made.attributes = box.attributes;
    }
    for (const uint32_t id : labelled.classes) frame.classes.push_back(class_names_[id]);
    frame.text = labelled.text;
    frame.attributes = labelled.attributes;
    frame.split = split;
    frame.group = std::move(group);
    frame.device = facts.device;
    frame.site = facts.site;
    frame.rule = facts.rule;
    if (!labelled.model.empty()) frame.model = labelled.model + " " + labelled.model_version;
    frame.label = labelled.label;
    frame.reviewer_role = RoleWord(labelled.reviewer_role);
    frame.taken_ns = facts.taken_ns;
    frame.width = facts.width;
    frame.height = facts.height;
    return frame;
  }

  // Null where nothing speaks against it.
  const char* WhyNot(const Candidate& one, Split split) const {
    const LabelledFrame& labelled = one.labelled;
    if (labelled.reviewer_role < order_.least_role) return kLowRole;
    if (order_.leave_out_empty && labelled.boxes.empty() && labelled.classes.empty() &&
        labelled.text.empty()) {
      return kWithoutLabel;
    }
    const auto ties_splits = [&](const std::string& tie) {
      return SplitOf(key_, order_.schema, tie) != split;
    };
    return std::any_of(one.seal.ties.begin(), one.seal.ties.end(), ties_splits) ? kTied : nullptr;
  }

  absl::Status DescribeHead() {
    run_.Report(0, "looking for frames");
    RETURN_IF_ERROR(freezer_.database_.Read([&](Sql& sql) -> absl::Status {
      if (HasVersion(sql, order_.name)) return ThereAlready(order_.name);
      ASSIGN_OR_RETURN(const v1::LabelSchema schema, ReadSchema(sql, order_.schema));
      for (const v1::LabelClass& one : schema.classes()) class_names_[one.id()] = one.name();
      return absl::OkStatus();
    }));
    RETURN_IF_ERROR(freezer_.database_.Write([&](Sql& sql) {
      key_ = MakeSplitKey(sql);
      return absl::OkStatus();
    }));
    head_.schema = order_.schema;
    head_.filter = order_.filter;
    head_.least_role = RoleWord(order_.least_role);
    head_.leave_out_empty = order_.leave_out_empty;
    head_.seed = order_.seed;
    head_.most = order_.most;
    return absl::OkStatus();
  }

  // One walk, so that what is drawn is drawn from what is frozen whatever labels come meanwhile.
  absl::Status Choose(SpoolFile& chosen) {
    std::vector<uint64_t> lots;  // 8 bytes for each frame that there is to draw from
    std::optional<FrameName> after;
    uint64_t gone = 0;
    do {
      ASSIGN_OR_RETURN(auto page, Page(&after, &gone));
      for (Candidate& one : page) {
        const Split split = SplitOf(key_, order_.schema, one.seal.group);
        if (const char* reason = WhyNot(one, split); reason != nullptr) {
          card_.LeaveOut(reason);
          continue;
        }
        if (order_.most > 0) lots.push_back(LotOf(order_.seed, one.labelled.id));
        ++chosen_;
        RETURN_IF_ERROR(chosen.Append(
            Frozen(one.labelled, one.facts, split, std::move(one.seal.group)).ToLine() + "\n"));
      }
    } while (after);
    // With a filter it may have been that.
    if (gone > 0) card_.LeaveOut(filter_.empty() ? kGone : kNotFound, gone);
    if (order_.most > 0 && lots.size() > order_.most) {
      const auto last = lots.begin() + static_cast<ptrdiff_t>(order_.most) - 1;
      std::nth_element(lots.begin(), last, lots.end());
      highest_lot_ = *last;
      card_.LeaveOut(kNotDrawn, chosen_ - order_.most);
      chosen_ = order_.most;
    }
    // In the order of their ids, those of earlier versions too, where another id may have had the
    // name.
    std::set<std::string_view> known;
    for (const auto& [id, name] : class_names_) {
      if (known.insert(name).second) head_.classes.push_back(name);
    }
    return chosen.End();
  }

  absl::Status WriteLine(const std::string& line) {
    tree_.Add(line);
    return list_.Append(line + "\n");
  }

  absl::Status WriteList(const SpoolFile& chosen) {
    PicturePacker pictures(freezer_.database_, freezer_.objects_, freezer_.decode_,
                           freezer_.options_.leave_free, run_.stop());
    LeakCheck leaks(freezer_.database_, key_, order_.schema);
    RETURN_IF_ERROR(WriteLine(head_.ToLine()));
    LineReader lines(chosen.size(), [&](uint64_t offset, size_t size, std::string* piece) {
      return chosen.Read(offset, size, piece);
    });
    std::string line;
    for (uint64_t done = 0;;) {
      if (stopped()) return Cancelled();
      ASSIGN_OR_RETURN(const bool more, lines.Next(&line));
      if (!more) break;
      ASSIGN_OR_RETURN(FrozenFrame frame, FrozenFrame::FromLine(line));
      if (highest_lot_ && LotOf(order_.seed, frame.name) > *highest_lot_) continue;
      if (done++ % 16 == 0) {
        run_.Report(static_cast<double>(done) / static_cast<double>(chosen_),
                    fmt::format("{} of {} frames", done, chosen_));
      }
      const auto picture = pictures.Keep(frame.name);
      if (absl::IsNotFound(picture.status()) || absl::IsFailedPrecondition(picture.status())) {
        card_.LeaveOut(kNoPicture);
        continue;
      }
      if (!picture.ok()) return picture.status();
      frame.picture_bytes = picture->bytes;
      frame.picture_sha256 = picture->sha256;
      RETURN_IF_ERROR(leaks.Add(frame));
      card_.Add(frame);
      RETURN_IF_ERROR(WriteLine(frame.ToLine()));
    }
    RETURN_IF_ERROR(pictures.Flush());
    if (card_.frames() == 0) {
      return absl::FailedPreconditionError(
          fmt::format("no frame is left to freeze; left out: {}", card_.LeftOut()));
    }
    return list_.End();
  }

  absl::Status Finish() {
    VersionRow row;
    row.name = order_.name;
    row.schema = order_.schema;
    row.filter = order_.filter;
    row.root = HexOf(tree_.Root());
    row.card = card_.ToJson(order_.name, head_, order_.as_of_ns);
    row.made_by = order_.by;
    row.frames = card_.frames();
    row.picture_bytes = card_.picture_bytes();
    row.made_ns = freezer_.clock_.WallNs();
    const absl::Status finished =
        run_.Finish(fmt::format("{}, root {}", Count(row.frames, "frame"), row.root),
                    [&](Sql& sql) -> absl::Status {
                      if (HasVersion(sql, row.name)) return ThereAlready(row.name);
                      list_.GiveTo(sql, ListOwner(InsertVersion(sql, row)));
                      return absl::OkStatus();
                    });
    if (finished.ok()) list_.Keep();
    return finished;
  }

  Freezer& freezer_;
  JobRun& run_;
  const FreezeOrder order_;
  const Filter filter_;
  std::string key_;
  std::map<uint32_t, std::string> class_names_;
  std::set<uint32_t> learnt_;  // versions of the schema
  FrozenHead head_;
  CardMaker card_;
  uint64_t chosen_ = 0;
  std::optional<uint64_t> highest_lot_;  // where not all are drawn
  Merkle tree_;
  PartWriter list_;
};

Freezer::Freezer(Database& database, ObjectStore& objects, DecodePicture decode, Clock& clock,
                 const Vocabulary& words, Options options)
    : database_(database),
      objects_(objects),
      labels_(database),
      decode_(std::move(decode)),
      clock_(clock),
      words_(words),
      options_(std::move(options)) {}

JobKind Freezer::Kind() {
  return {.name = std::string(kFreezeJob),
          .at_once = 1,
          .run = [this](JobRun& run) { return Run(run); },
          .on_given_up = {}};
}

absl::Status Freezer::Run(JobRun& run) {
  ASSIGN_OR_RETURN(FreezeOrder order, FreezeOrder::FromJson(run.job().parameters()));
  ASSIGN_OR_RETURN(Filter filter,
                   ParseFilter(order.filter, order.as_of_ns, words_, FilterOf::kFrames));
  return Attempt(*this, run, std::move(order), std::move(filter)).Run();
}

}  // namespace gleaner::cloud

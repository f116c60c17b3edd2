#include "cloud/search/filter_sql.h"

#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <map>
#include <random>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "cloud/dataset/sealing.h"
#include "cloud/dataset/splits.h"
#include "cloud/frames/frame_facets.h"
#include "cloud/label/said_classes.h"
#include "cloud/media/frame_choice.h"
#include "common/status.h"
#include "tests/cloud/label/label_testing.h"
#include "tests/cloud/search/all_words.h"

namespace gleaner::cloud {
namespace {

using testing::HasSubstr;

constexpr int64_t kFired = 1'700'000'000 * kNanosPerSecond;
constexpr std::array kClasses = {"bottle", "box", "person"};

// What the test knows of a frame.
struct Known {
  v1::Frame frame;
  std::string codec;
  int64_t fired_ns = 0;
  bool reviewed = false;
  std::set<std::string> labelled;           // of the label that counts
  std::map<std::string, double> predicted;  // by the newest prediction
  std::string split;
};

using Fits = std::function<bool(const Known&)>;

// A filter and what it means.
struct Made {
  std::string text;
  Fits fits;
};

class FilterSqlTest : public LabelRig {
 protected:
  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  template <typename T>
  T OneOf(std::initializer_list<T> all) {
    return *(all.begin() + Pick(static_cast<int>(all.size())));
  }

  void AddClip(uint64_t sequence) {
    TestClipOptions options{.device = OneOf({"a", "b"}),
                            .site = OneOf({"", "s", "t"}),
                            .rule = OneOf({"motion", "weight"}),
                            .camera = OneOf({"front", "side"}),
                            .codec = OneOf({"h264", "hevc"}),
                            .sequence = sequence,
                            .fired_ns = kFired + Pick(6) * 600 * kNanosPerSecond};
    const TestClip clip = MakeTestClip(options);
    ASSERT_TRUE(CommitTestClip(*catalog_, clip).ok());
    const std::string id = ClipId(options.device, clip.upload.key);
    CheckedVideo video;
    video.thumbnails = Hex(AsBytes(Sha256::Of(id))).substr(0, 32);
    for (int i = 1 + Pick(4); i > 0; --i) {
      video.frames.push_back({.pts = 900 - 100 * i,
                              .reasons = 2u * (1 + static_cast<uint32_t>(Pick(15))),
                              .phash = random_(),
                              .sharpness = Pick(9) / 8.0,
                              .motion = Pick(9) / 8.0});
    }
    ASSERT_TRUE(database()
                    .Write([&](Sql& sql) {
                      const CheckedClip checked{
                          .id = id, .manifest = clip.manifest, .videos = {video}};
                      MakeSplitKey(sql);
                      RecordFrames(sql, checked);
                      SealChecked(sql, checked);
                      return absl::OkStatus();
                    })
                    .ok());
    v1::ListFramesRequest of_clip;
    of_clip.set_clip(id);
    const auto frames = frames_.List(of_clip, {}).value();
    for (const v1::Frame& frame : frames.frames()) {
      known_.push_back({.frame = frame, .codec = options.codec, .fired_ns = options.fired_ns});
    }
  }

  v1::Annotation Something(bool with_confidence) {
    v1::Annotation said;
    for (int i = Pick(3); i > 0; --i) {
      AddBox(said, 0.125 * i, static_cast<uint32_t>(1 + Pick(3)),
             with_confidence ? (1 + Pick(8)) / 8.0 : 0);
    }
    return said;
  }
  static std::string ClassOf(const v1::LabelBox& box) { return kClasses[box.class_id() - 1]; }

  void Fill(int clips) {
    MakeSchema();
    for (int i = 1; i <= clips; ++i) AddClip(static_cast<uint64_t>(i));
    int version = 0;
    for (Known& one : known_) {
      for (int labels = Pick(3); labels > 0; --labels) {
        const v1::Annotation said = Something(false);
        ASSERT_TRUE(Say(one.frame.id(), said, ann_).ok());
        one.reviewed = true;
        one.labelled.clear();
        for (const v1::LabelBox& box : said.boxes()) one.labelled.insert(ClassOf(box));
      }
      for (int times = Pick(3); times > 0; --times) {
        const v1::Annotation said = Something(true);
        Predict(one.frame.id(), said, OneOf({"ssd", "vlm"}), std::to_string(++version));
        one.predicted.clear();
        for (const v1::LabelBox& box : said.boxes()) {
          double& most = one.predicted[ClassOf(box)];
          most = std::max(most, box.confidence());
        }
      }
    }
    ASSERT_TRUE(database()
                    .Read([&](Sql& sql) {
                      const std::string key = ReadSplitKey(sql);
                      for (Known& one : known_) {
                        const v1::FrameId& id = one.frame.id();
                        const Seal seal = ReadSeal(
                            sql, {.clip = id.clip(), .camera = id.camera(), .pts = id.pts()});
                        one.split = SplitWord(SplitOf(key, "carts", seal.group));
                      }
                      return absl::OkStatus();
                    })
                    .ok());
  }

  // One or two of `all`, and whether `has` is among them.
  template <typename T>
  Made Words(const std::string& key, const std::vector<std::string>& all, T has) {
    std::vector<std::string> values;
    for (int i = 1 + Pick(2); i > 0; --i) {
      values.push_back(all[static_cast<size_t>(Pick(static_cast<int>(all.size())))]);
    }
    std::string text = key + ":";
    for (const std::string& value : values) {
      text += (text.back() == ':' ? "" : ",") + (value.empty() ? "\"\"" : value);
    }
    return {text, [values, has](const Known& one) {
              return std::any_of(values.begin(), values.end(),
                                 [&](const std::string& value) { return has(one, value); });
            }};
  }

  Made Term(bool of_clips) {
    switch (Pick(of_clips ? 6 : 14)) {
      case 0:
        return Words("device", {"a", "b", "c"},
                     [](const Known& one, const auto& v) { return one.frame.device() == v; });
      case 1:
        return Words("site", {"", "s", "t"},
                     [](const Known& one, const auto& v) { return one.frame.site() == v; });
      case 2:
        return Words("rule", {"motion", "weight"},
                     [](const Known& one, const auto& v) { return one.frame.rule() == v; });
      case 3:
        return Words("camera", {"front", "side", "none"},
                     [](const Known& one, const auto& v) { return one.frame.id().camera() == v; });
      case 4:
        return Words("codec", {"h264", "hevc"},
                     [](const Known& one, const auto& v) { return one.codec == v; });
      case 5: {
        const int64_t at = 1'700'000'000 + Pick(7) * 600;
        const bool after = Pick(2) == 0;
        return {fmt::format("{}:{}", after ? "after" : "before",
                            absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(at),
                                             absl::UTCTimeZone())),
                [=](const Known& one) { return (one.fired_ns >= at * kNanosPerSecond) == after; }};
      }
      case 6:
        return Words("background", {"unknown", "no", "yes"}, [](const Known& one, const auto& v) {
          return v == "unknown" ? one.frame.background() == v1::Frame::BACKGROUND_UNSPECIFIED
                 : v == "no"    ? one.frame.background() == v1::Frame::BACKGROUND_NO
                                : one.frame.background() == v1::Frame::BACKGROUND_YES;
        });
      case 7:
        return Words("reason", {"firing", "peak", "keyframe", "evenly"},
                     [](const Known& one, const auto& v) {
                       const auto& reasons = one.frame.reasons();
                       return std::any_of(reasons.begin(), reasons.end(), [&](int reason) {
                         return v1::Frame::Reason_Name(static_cast<v1::Frame::Reason>(reason)) ==
                                "REASON_" + absl::AsciiStrToUpper(v);
                       });
                     });
      case 8: {
        const double than = Pick(9) / 8.0;
        if (Pick(2) == 0) {
          return {fmt::format("sharpness<{}", than),
                  [=](const Known& one) { return one.frame.sharpness() < than; }};
        }
        return {fmt::format("motion>={}", than),
                [=](const Known& one) { return one.frame.motion() >= than; }};
      }
      case 9:
        return Words("label", {"bottle", "box", "person", "unheard-of"},
                     [](const Known& one, const auto& v) { return one.labelled.contains(v); });
      case 10:
        return Words("predicted", {"bottle", "box", "person"},
                     [](const Known& one, const auto& v) { return one.predicted.contains(v); });
      case 11: {
        const double than = Pick(9) / 8.0;
        Made made =
            Words("predicted", {"bottle", "box", "person"}, [=](const Known& one, const auto& v) {
              const auto found = one.predicted.find(v);
              return found != one.predicted.end() && found->second > than;
            });
        made.text += fmt::format(">{}", than);
        return made;
      }
      case 12:
        return Words("reviewed", {"yes", "no"},
                     [](const Known& one, const auto& v) { return one.reviewed == (v == "yes"); });
      default:
        return Words("split", {"train", "validation", "test"},
                     [](const Known& one, const auto& v) { return one.split == v; });
    }
  }

  Made Tree(int depth, bool of_clips) {
    Made made;
    if (depth == 0 || Pick(3) == 0) {
      made = Term(of_clips);
    } else {
      const Made a = Tree(depth - 1, of_clips), b = Tree(depth - 1, of_clips);
      const bool either = Pick(2) == 0;
      made.text = fmt::format("({}{}{})", a.text, either ? " or " : " ", b.text);
      made.fits = [=](const Known& one) {
        return either ? a.fits(one) || b.fits(one) : a.fits(one) && b.fits(one);
      };
    }
    if (Pick(4) != 0 || made.text.starts_with('-')) return made;
    return {"-" + made.text, [fits = made.fits](const Known& one) { return !fits(one); }};
  }

  absl::StatusOr<Filter> Parse(const std::string& text, FilterOf of = FilterOf::kFrames) {
    return ParseFilter(text, clock_.WallNs(), AllWords(), of);
  }

  std::mt19937_64 random_{20261122};
  std::vector<Known> known_;
};

std::string NameOf(const v1::FrameId& id) {
  return fmt::format("{}/{}/{}", id.clip(), id.camera(), id.pts());
}

TEST_F(FilterSqlTest, RandomFiltersFindTheFramesThatAPlainReadingOfThemFinds) {
  Fill(24);
  for (int round = 0; round < 300; ++round) {
    const Made made = Tree(3, false);
    const auto filter = Parse(made.text);
    ASSERT_TRUE(filter.ok()) << made.text << ": " << filter.status();
    v1::ListFramesRequest request;
    request.set_page_size(500);
    const auto list = frames_.List(request, *filter);
    ASSERT_TRUE(list.ok()) << made.text << ": " << list.status();
    std::set<std::string> found, expected;
    for (const v1::Frame& frame : list->frames()) found.insert(NameOf(frame.id()));
    for (const Known& one : known_) {
      if (made.fits(one)) expected.insert(NameOf(one.frame.id()));
    }
    ASSERT_EQ(found, expected) << made.text;
    const auto facets = database().Read(
        [&](Sql& sql) { return CountFrames(sql, *filter, {"device"}, AllWords()); });
    ASSERT_TRUE(facets.ok()) << facets.status();
    ASSERT_EQ(facets->frames(), expected.size()) << made.text;
  }
}

TEST_F(FilterSqlTest, RandomFiltersFindTheClipsThatAPlainReadingOfThemFinds) {
  Fill(24);
  for (int round = 0; round < 300; ++round) {
    const Made made = Tree(3, true);
    const auto filter = Parse(made.text, FilterOf::kClips);
    ASSERT_TRUE(filter.ok()) << made.text << ": " << filter.status();
    v1::ListClipsRequest request;
    request.set_page_size(500);
    const auto list = catalog_->clips.List(request, *filter);
    ASSERT_TRUE(list.ok()) << made.text << ": " << list.status();
    std::set<std::string> found, expected;
    for (const v1::ClipSummary& clip : list->clips()) found.insert(clip.id());
    for (const Known& one : known_) {
      if (made.fits(one)) expected.insert(one.frame.id().clip());
    }
    ASSERT_EQ(found, expected) << made.text;
    ASSERT_EQ(list->total(), expected.size()) << made.text;
  }
}

TEST_F(FilterSqlTest, FacetsCountEachFrameOnceForEachOfItsValues) {
  Fill(24);
  const auto filter = Parse("device:a or reviewed:yes").value();
  const auto facets =
      database().Read([&](Sql& sql) { return CountFrames(sql, filter, {}, AllWords()); });
  ASSERT_TRUE(facets.ok()) << facets.status();
  std::map<std::string, std::map<std::string, uint32_t>> expected, counted;
  uint32_t frames = 0;
  for (const Known& one : known_) {
    if (one.frame.device() != "a" && !one.reviewed) continue;
    ++frames;
    ++expected["device"][one.frame.device()];
    ++expected["site"][one.frame.site()];
    ++expected["rule"][one.frame.rule()];
    ++expected["camera"][one.frame.id().camera()];
    const auto background = one.frame.background();
    ++expected["background"][background == v1::Frame::BACKGROUND_YES  ? "yes"
                             : background == v1::Frame::BACKGROUND_NO ? "no"
                                                                      : "unknown"];
    for (const int reason : one.frame.reasons()) {
      const std::string name = v1::Frame::Reason_Name(static_cast<v1::Frame::Reason>(reason));
      ++expected["reason"][absl::AsciiStrToLower(name.substr(7))];
    }
    for (const std::string& name : one.labelled) ++expected["label"][name];
    for (const auto& [name, confidence] : one.predicted) ++expected["predicted"][name];
    ++expected["reviewed"][one.reviewed ? "yes" : "no"];
    ++expected["split"][one.split];
  }
  EXPECT_EQ(facets->frames(), frames);
  for (const v1::FrameFacet& facet : facets->facets()) {
    uint32_t last = std::numeric_limits<uint32_t>::max();
    for (const v1::FacetValue& value : facet.values()) {
      counted[facet.key()][value.value()] = value.frames();
      EXPECT_LE(value.frames(), last) << "most first";
      last = value.frames();
    }
  }
  EXPECT_EQ(counted, expected);
  const auto wrong =
      database().Read([&](Sql& sql) { return CountFrames(sql, filter, {"after"}, AllWords()); });
  EXPECT_THAT(std::string(Message(wrong.status())), HasSubstr("nothing is counted by \"after\""));
}

TEST_F(FilterSqlTest, ASplitIsOfTheOnlySchemaOrOfTheOneThatIsNamed) {
  const auto told = [&](const std::string& text) {
    const auto list = frames_.List({}, Parse(text).value());
    return std::string(Message(list.status()));
  };
  AddClip(1);
  EXPECT_THAT(told("device:a split:test"), HasSubstr("column 10: split: splits are by schema"));
  MakeSchema();
  EXPECT_EQ(told("split:test"), "");
  EXPECT_EQ(told("split:carts/test"), "");
  EXPECT_THAT(told("split:mugs/test"), HasSubstr("column 1: split: there is no schema mugs"));
  v1::LabelSchema other = Carts();
  other.set_name("shelves");
  MakeSchema(other);
  EXPECT_THAT(told("split:test"), HasSubstr("write carts/test"));
  EXPECT_EQ(told("split:shelves/test"), "");
}

TEST_F(FilterSqlTest, ClassesOfLabelsFromBeforeAreListedByAJob) {
  Fill(12);
  const std::vector<std::string> filters = {"label:bottle", "predicted:box>0.3",
                                            "predicted:person"};
  const auto count = [&](const std::string& text) {
    v1::ListFramesRequest request;
    request.set_page_size(500);
    return frames_.List(request, Parse(text).value()).value().frames_size();
  };
  std::vector<int> before;
  for (const std::string& text : filters) before.push_back(count(text));
  // As the migration leaves a catalog.
  ASSERT_TRUE(database()
                  .Write([](Sql& sql) {
                    sql.Run("DELETE FROM label_class", In());
                    sql.Run("DELETE FROM prediction_class", In());
                    sql.Run(
                        "INSERT INTO label_unlisted (what, number) SELECT 'label', number FROM "
                        "label",
                        In());
                    sql.Run(
                        "INSERT INTO label_unlisted (what, number) SELECT 'prediction', number "
                        "FROM prediction",
                        In());
                    AddJob(sql, {.kind = "label-classes", .subject = "", .share = "labels"}, 0);
                    return absl::OkStatus();
                  })
                  .ok());
  for (const std::string& text : filters) EXPECT_EQ(count(text), 0) << text;
  Jobs jobs(database(), clock_);
  JobRunner runner(jobs, clock_, {.worker = "me", .alone = true});
  std::promise<absl::Status> done;
  JobKind kind = ClassesOfBefore(database());
  kind.run = [&done, run = kind.run](JobRun& job) {
    const absl::Status status = run(job);
    done.set_value(status);
    return status;
  };
  runner.Add(std::move(kind));
  runner.Start();
  EXPECT_TRUE(done.get_future().get().ok());
  runner.Stop();
  for (size_t i = 0; i < filters.size(); ++i) EXPECT_EQ(count(filters[i]), before[i]) << filters[i];
}

}  // namespace
}  // namespace gleaner::cloud

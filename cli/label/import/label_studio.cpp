// What Label Studio exports as JSON: an array of tasks. Each task's frame is in its "meta", or in
// its data, as the export of a dataset put it there (cloud/dataset/export/label_studio.cpp). Of a
// task with several annotations the newest one counts; a task that nobody annotated, or that was
// skipped, says nothing.
//
// Read task by task, so that one is in memory.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <streambuf>

#include "cli/label/import/label_file.h"
#include "common/printable.h"
#include "common/status.h"

namespace gleaner::cli {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 24;
constexpr size_t kMaxValues = 200'000;  // of one task
constexpr size_t kMaxTasks = 1'000'000;
constexpr size_t kMaxResults = 30'000;  // 500 boxes, each with its attributes
// The export has millionths; the tool keeps what it has.
constexpr double kSlack = 1.5e-6;

// Thrown within the parser, which has no other way to end.
struct Mistake {
  absl::Status status;
};

[[noreturn]] void Refuse(const std::string& what) {
  throw Mistake{absl::InvalidArgumentError(what)};
}

// Counts lines while they are read, one character at a time: so it is known where the parser is.
class CountedFile : public std::streambuf {
 public:
  explicit CountedFile(std::istream& file) : file_(file) {}
  std::string Where() const { return fmt::format("line {}, column {}", line_, column_); }

 protected:
  int_type underflow() override { return file_.peek(); }
  int_type uflow() override {
    const int_type c = file_.get();
    if (c == traits_type::eof()) return c;
    if (++bytes_ > kMaxLabelFileBytes) {
      Refuse(fmt::format("it has more than {} MiB", kMaxLabelFileBytes >> 20));
    }
    if (c == '\n') {
      ++line_;
      column_ = 0;
    } else {
      ++column_;
    }
    return c;
  }

 private:
  std::istream& file_;
  uint64_t bytes_ = 0, line_ = 1, column_ = 0;
};

const json* Find(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string TextOf(const json& object, const char* name) {
  const json* found = Find(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : "";
}

// Reads one task.
class Task {
 public:
  explicit Task(std::string where) { label_.where = std::move(where); }

  // False for one that says nothing.
  bool Read(const json& task) {
    if (!task.is_object()) Wrong("a task is an object");
    Name(task);
    const json* annotation = Newest(task);
    if (annotation == nullptr) return false;
    const json* results = Find(*annotation, "result");
    if (results == nullptr || !results->is_array()) Wrong("its annotation has no list \"result\"");
    if (results->size() > kMaxResults) Wrong("its annotation has too many results");
    // Boxes first: what is said of a region may stand before it.
    for (size_t i = 0; i < results->size(); ++i) {
      if (TextOf((*results)[i], "type") == "rectanglelabels") AddBox((*results)[i], i);
    }
    for (size_t i = 0; i < results->size(); ++i) {
      if (TextOf((*results)[i], "type") != "rectanglelabels") AddOther((*results)[i], i);
    }
    label_.slack_x = label_.slack_y = kSlack;
    return true;
  }

  const FileLabel& label() const { return label_; }

 private:
  [[noreturn]] void Wrong(const std::string& what) {
    Refuse(fmt::format("{}: {}", label_.where, what));
  }
  [[noreturn]] void Wrong(size_t result, const std::string& what) {
    Wrong(fmt::format("result {}: {}", result + 1, what));
  }

  void Name(const json& task) {
    std::string id;
    if (const json* meta = Find(task, "meta")) {
      if (const json* ours = Find(*meta, "gleaner")) {
        const json* pts = Find(*ours, "pts");
        if (pts == nullptr || !pts->is_number_integer()) Wrong("meta.gleaner.pts is no number");
        id = fmt::format("{}/{}/{}", TextOf(*ours, "clip"), TextOf(*ours, "camera"),
                         pts->get<int64_t>());
      }
    }
    if (id.empty()) {
      if (const json* data = Find(task, "data")) id = TextOf(*data, "gleaner_frame");
    }
    if (id.empty()) Wrong("which frame is it? There is no meta.gleaner and no data.gleaner_frame");
    if (!ParseFrameId(id, &label_)) {
      Wrong(fmt::format("\"{}\" is no frame: CLIP/CAMERA/PTS", Printable(id.substr(0, 100))));
    }
  }

  const json* Newest(const json& task) {
    const json* annotations = Find(task, "annotations");
    if (annotations == nullptr) {
      Wrong("it has no \"annotations\": export as JSON, not as JSON-MIN");
    }
    if (!annotations->is_array()) Wrong("\"annotations\" is no list");
    const json* newest = nullptr;
    for (const json& one : *annotations) {
      const json* cancelled = Find(one, "was_cancelled");
      if (cancelled != nullptr && *cancelled == true) continue;
      // Times are in one form, so that the later one is the greater text.
      if (newest == nullptr || TextOf(one, "updated_at") >= TextOf(*newest, "updated_at")) {
        newest = &one;
      }
    }
    return newest;
  }

  double PerCent(const json& value, size_t result, const char* name) {
    const json* found = Find(value, name);
    if (found == nullptr || !found->is_number())
      Wrong(result, fmt::format("{} is no number", name));
    return found->get<double>() / 100;
  }

  const json& Value(const json& result, size_t number) {
    const json* value = Find(result, "value");
    if (value == nullptr || !value->is_object()) Wrong(number, "it has no \"value\"");
    return *value;
  }

  void AddBox(const json& result, size_t number) {
    const json& value = Value(result, number);
    for (const auto& [of, name] : {std::pair(&result, "image_rotation"), {&value, "rotation"}}) {
      const json* turn = Find(*of, name);
      if (turn != nullptr && (!turn->is_number() || turn->get<double>() != 0)) {
        Wrong(number, fmt::format("{} is not 0, and boxes are upright here", name));
      }
    }
    const json* classes = Find(value, "rectanglelabels");
    if (classes == nullptr || !classes->is_array() || classes->size() != 1 ||
        !(*classes)[0].is_string()) {
      Wrong(number, "a box has one class, in \"rectanglelabels\"");
    }
    FileBox box{.class_name = (*classes)[0].get<std::string>()};
    const double x = PerCent(value, number, "x"), y = PerCent(value, number, "y"),
                 width = PerCent(value, number, "width"), height = PerCent(value, number, "height");
    if (!PlaceBox(x, y, x + width, y + height, kSlack, kSlack, &box)) {
      Wrong(number, fmt::format("a box of {} x {} % at ({}, {}) % is not within the picture",
                                100 * width, 100 * height, 100 * x, 100 * y));
    }
    label_.boxes.push_back(std::move(box));
    regions_.push_back(TextOf(result, "id"));
  }

  // The texts of a textarea, or the choices: one.
  std::string One(const json& value, size_t number, const char* list) {
    const json* texts = Find(value, list);
    if (texts != nullptr && texts->is_string()) return texts->get<std::string>();
    if (texts == nullptr || !texts->is_array() || texts->size() != 1 || !(*texts)[0].is_string()) {
      Wrong(number, fmt::format("\"{}\" is not one text", list));
    }
    return (*texts)[0].get<std::string>();
  }

  void AddOther(const json& result, size_t number) {
    const std::string type = TextOf(result, "type"), from = TextOf(result, "from_name");
    const bool is_text = type == "textarea";
    if (!is_text && type != "choices") {
      Wrong(number, fmt::format("\"{}\" is nothing that a label has: boxes (rectanglelabels), "
                                "choices and textareas are",
                                Printable(type.substr(0, 40))));
    }
    const json& value = Value(result, number);
    const char* list = is_text ? "text" : "choices";
    std::string_view name = from;
    if (TakePrefix(&name, "attribute-")) {
      const std::string region = TextOf(result, "id");
      for (size_t i = 0; i < regions_.size(); ++i) {
        if (regions_[i] != region) continue;
        label_.boxes[i].attributes.emplace_back(name, One(value, number, list));
        return;
      }
      Wrong(number, fmt::format("no box has the id \"{}\"", Printable(region.substr(0, 40))));
    }
    if (TakePrefix(&name, "frame-attribute-")) {
      label_.attributes.emplace_back(name, One(value, number, list));
    } else if (is_text) {
      if (!label_.text.empty()) Wrong(number, "a second text");
      label_.text = One(value, number, list);
    } else {
      const json* choices = Find(value, "choices");
      if (choices == nullptr || !choices->is_array()) Wrong(number, "\"choices\" is no list");
      for (const json& one : *choices) {
        if (!one.is_string()) Wrong(number, "a choice is no text");
        label_.classes.push_back(one.get<std::string>());
      }
    }
  }

  FileLabel label_;
  std::vector<std::string> regions_;  // ids of the boxes
};

class LabelStudio : public LabelFileFormat {
 public:
  std::string_view name() const override { return "label-studio"; }
  std::string_view about() const override { return "Label Studio's JSON"; }

  absl::Status Read(std::istream& file, const std::function<absl::Status(const FileLabel&)>& each,
                    uint64_t* passed_over) const override {
    CountedFile counted(file);
    std::istream stream(&counted);
    size_t values = 0, tasks = 0;
    std::set<std::string> told;
    const auto take = [&](int depth, json::parse_event_t event, json& parsed) {
      if (depth > kMaxDepth) Refuse(counted.Where() + ": lists within lists without end");
      if (++values > kMaxValues) Refuse(counted.Where() + ": a task has too many values");
      if (depth == 0 && event == json::parse_event_t::object_start) {
        Refuse(counted.Where() + ": an object where the list of tasks belongs");
      }
      const bool task_ends = depth == 1 && (event == json::parse_event_t::object_end ||
                                            event == json::parse_event_t::array_end ||
                                            event == json::parse_event_t::value);
      if (!task_ends) return true;
      values = 0;
      if (++tasks > kMaxTasks) Refuse(counted.Where() + ": too many tasks");
      Task task(fmt::format("task {}, which ends at {}", tasks, counted.Where()));
      if (task.Read(parsed)) {
        const FileLabel& label = task.label();
        if (!told.insert(fmt::format("{}/{}/{}", label.clip, label.camera, label.pts)).second) {
          Refuse(fmt::format("{}: a second task of frame {}/{}/{}", label.where, label.clip,
                             label.camera, label.pts));
        }
        if (absl::Status status = each(label); !status.ok()) throw Mistake{std::move(status)};
      } else if (passed_over != nullptr) {
        ++*passed_over;
      }
      return false;  // it isn't kept
    };
    try {
      const json whole = json::parse(stream, take);
      if (!whole.is_array() && !whole.is_discarded()) {
        Refuse("line 1, column 1: no list of tasks");
      }
    } catch (const Mistake& mistake) {
      return mistake.status;
    } catch (const json::exception& mistake) {
      // Its own words come after the place: "[json.exception.parse_error.101] parse error at line
      // 1, column 2: syntax error …".
      std::string_view words = mistake.what();
      if (const size_t colon = words.find(": "); colon != std::string_view::npos) {
        words.remove_prefix(colon + 2);
      }
      return absl::InvalidArgumentError(
          fmt::format("{}: not JSON: {}", counted.Where(), Printable(words.substr(0, 200))));
    }
    return absl::OkStatus();
  }
};

}  // namespace

const LabelFileFormat& LabelStudioLabels() {
  static const LabelStudio format;
  return format;
}

}  // namespace gleaner::cli

#include "common/config.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/printable.h"
#include "common/status.h"
#include "common/text.h"

namespace gleaner {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

struct Unit {
  std::string_view name;
  double scale;
};
constexpr Unit kSizes[] = {{"", 1},
                           {"B", 1},
                           {"KB", 1e3},
                           {"kB", 1e3},
                           {"MB", 1e6},
                           {"GB", 1e9},
                           {"TB", 1e12},
                           {"KiB", 1024.},
                           {"MiB", 1048576.},
                           {"GiB", 1073741824.},
                           {"TiB", 1099511627776.}};
constexpr Unit kDurations[] = {{"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                               {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};

// A string such as "12.5 MiB" in the unit whose scale is 1.
std::optional<double> Scaled(const toml::node& node, std::span<const Unit> units) {
  const auto text = node.value_exact<std::string>();
  if (!text) return std::nullopt;
  const size_t end = text->find_first_not_of("0123456789.");
  double number = 0;
  if (end == 0 || !absl::SimpleAtod(text->substr(0, end), &number)) return std::nullopt;
  const size_t letters = end == std::string::npos ? end : text->find_first_not_of(' ', end);
  const std::string_view name =
      letters == std::string::npos ? "" : std::string_view(*text).substr(letters);
  for (const Unit& unit : units) {
    if (unit.name == name) return number * unit.scale;
  }
  return std::nullopt;
}

// "16.0 MiB to 1.0 TiB", "1.0 KiB or more".
std::string InBytes(const IntRange& range) {
  const std::string least = HumanBytes(static_cast<uint64_t>(range.min));
  return range.max == std::numeric_limits<int64_t>::max()
             ? least + " or more"
             : least + " to " + HumanBytes(static_cast<uint64_t>(range.max));
}

// The parser's description, with what most often is meant.
std::string SyntaxMistake(const toml::parse_error& error) {
  std::string text = Printable(error.description());
  if (text.find("could not determine value type") != std::string::npos) {
    text += ": a text stands in quotes (\"…\")";
  }
  return text;
}

// As a double, the greatest int64_t is 2^63, which is none.
bool IsIn(double value, const IntRange& range) {
  return value >= static_cast<double>(range.min) && value <= static_cast<double>(range.max) &&
         value < 0x1p63;
}

}  // namespace

struct ConfigReader::Remark {
  uint32_t line;  // 0: of the file as a whole
  std::string text;
};

namespace {

// What is of no line comes last.
template <typename Remark>
std::vector<std::string> InOrder(std::vector<Remark> remarks) {
  std::stable_sort(remarks.begin(), remarks.end(),
                   [](const Remark& a, const Remark& b) { return a.line - 1 < b.line - 1; });
  std::vector<std::string> lines;
  for (Remark& remark : remarks) lines.push_back(std::move(remark.text));
  return lines;
}

void MarkUsed(const toml::node& node, std::set<const toml::node*>* used) {
  used->insert(&node);
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, inner] : *table) MarkUsed(inner, used);
  }
}

}  // namespace

struct ConfigReader::Shared {
  std::string name;
  toml::table root;
  std::filesystem::path folder;  // absolute, that relative paths count from
  std::vector<Remark> errors;
  std::vector<Remark> warnings;
  std::set<const toml::node*> used;
};

ConfigReader::ConfigReader(std::shared_ptr<Shared> shared, const toml::table* table,
                           std::string path)
    : shared_(std::move(shared)), table_(table), path_(std::move(path)) {}

absl::StatusOr<ConfigReader> ConfigReader::Load(const std::string& path) {
  auto text = ReadFile(path, kMaxConfigBytes);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(
        fmt::format("the configuration {}: No such file or directory", path));
  }
  if (!text.ok()) return text.status();
  return Parse(*text, path);
}

absl::StatusOr<ConfigReader> ConfigReader::Parse(std::string_view text, std::string name) {
  auto shared = std::make_shared<Shared>();
  shared->name = std::move(name);
  std::error_code no_folder;
  shared->folder = std::filesystem::absolute(shared->name, no_folder).parent_path();
  try {
    shared->root = toml::parse(text, shared->name);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}:{}: {}", shared->name, error.source().begin.line,
                    error.source().begin.column, SyntaxMistake(error)));
  }
  const toml::table* root = &shared->root;
  return ConfigReader(std::move(shared), root, "");
}

const toml::node* ConfigReader::Find(std::string_view key) {
  const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
  if (node != nullptr) shared_->used.insert(node);
  return node;
}

bool ConfigReader::Has(std::string_view key) const {
  return table_ != nullptr && table_->get(key) != nullptr;
}

ConfigReader::Remark ConfigReader::About(const toml::node* node, std::string_view kind,
                                         std::string_view key, std::string_view message) const {
  const toml::node* at = node != nullptr ? node : table_;
  const uint32_t line = at == nullptr ? 0 : at->source().begin.line;
  std::string where = shared_->name;
  if (line > 0) where += fmt::format(":{}:{}", line, at->source().begin.column);
  // What the file holds may have line ends and terminal controls in it.
  return {line, Printable(fmt::format("{}: {}{}{}: {}", where, kind, path_, key, message))};
}

void ConfigReader::Note(const toml::node* node, std::string_view key, std::string_view message) {
  shared_->errors.push_back(About(node, "", key, message));
}

void ConfigReader::Error(std::string_view key, std::string_view message) {
  Note(table_ == nullptr ? nullptr : table_->get(key), key, message);
}

void ConfigReader::Warn(std::string_view key, std::string_view message) {
  const toml::node* node = table_ == nullptr ? nullptr : table_->get(key);
  shared_->warnings.push_back(About(node, "warning: ", key, message));
}

std::vector<std::string> ConfigReader::warnings() const { return InOrder(shared_->warnings); }

std::string ConfigReader::String(std::string_view key, std::string_view fallback) {
  const toml::node* node = Find(key);
  if (node == nullptr) return std::string(fallback);
  if (auto value = node->value_exact<std::string>()) return *value;
  Note(node, key, "must be a string");
  return std::string(fallback);
}

std::string ConfigReader::RequiredString(std::string_view key) {
  std::string value = String(key, "");
  if (value.empty() && (Find(key) == nullptr || Find(key)->is_string())) {
    Note(Find(key), key, "is required");
  }
  return value;
}

int64_t ConfigReader::Int(std::string_view key, int64_t fallback, IntRange range) {
  const toml::node* node = Find(key);
  if (node == nullptr) return fallback;
  const auto value = node->value_exact<int64_t>();
  if (!value) {
    Note(node, key, "must be a whole number");
  } else if (*value < range.min || *value > range.max) {
    Note(node, key, fmt::format("is {}, must be {} to {}", *value, range.min, range.max));
  } else {
    return *value;
  }
  return fallback;
}

double ConfigReader::Number(std::string_view key, double fallback, NumberRange range) {
  const toml::node* node = Find(key);
  if (node == nullptr) return fallback;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value) {
    Note(node, key, "must be a number");
  } else if (!(*value >= range.min && *value <= range.max)) {
    Note(node, key, fmt::format("is {}, must be {} to {}", *value, range.min, range.max));
  } else {
    return *value;
  }
  return fallback;
}

bool ConfigReader::Bool(std::string_view key, bool fallback) {
  const toml::node* node = Find(key);
  if (node == nullptr) return fallback;
  if (auto value = node->value_exact<bool>()) return *value;
  Note(node, key, "must be true or false");
  return fallback;
}

int64_t ConfigReader::Bytes(std::string_view key, int64_t fallback, IntRange range) {
  const toml::node* node = Find(key);
  if (node == nullptr) return fallback;
  const auto whole = node->value_exact<int64_t>();
  if (whole && *whole >= range.min && *whole <= range.max) return *whole;
  const std::optional<double> value =
      whole ? std::optional(static_cast<double>(*whole)) : Scaled(*node, kSizes);
  if (!value) {
    Note(node, key, "must be a size such as 536870912, \"512 MiB\" or \"2 GB\"");
  } else if (whole || !IsIn(*value, range)) {
    Note(node, key,
         fmt::format("is {}, must be {}",
                     *value >= 0 && *value < 0x1p63 ? HumanBytes(static_cast<uint64_t>(*value))
                                                    : fmt::format("{:g} B", *value),
                     InBytes(range)));
  } else {
    return static_cast<int64_t>(*value);
  }
  return fallback;
}

int64_t ConfigReader::DurationNs(std::string_view key, int64_t fallback_ns, IntRange range_ns) {
  const toml::node* node = Find(key);
  if (node == nullptr) return fallback_ns;
  const std::optional<double> value = Scaled(*node, kDurations);
  if (!value) {
    Note(node, key, "must be a length of time such as \"250ms\", \"10s\", \"5min\" or \"2h\"");
  } else if (!IsIn(*value, range_ns)) {
    Note(node, key,
         fmt::format("is {} s, must be {} s to {} s", *value / 1e9,
                     static_cast<double>(range_ns.min) / 1e9,
                     static_cast<double>(range_ns.max) / 1e9));
  } else {
    return static_cast<int64_t>(*value);
  }
  return fallback_ns;
}

std::vector<std::string> ConfigReader::Strings(std::string_view key) {
  const toml::node* node = Find(key);
  std::vector<std::string> values;
  if (node == nullptr) return values;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    Note(node, key, "must be a list of strings");
    return values;
  }
  for (const toml::node& item : *array) {
    if (auto value = item.value_exact<std::string>()) {
      values.push_back(*value);
    } else {
      Note(&item, key, "must be a list of strings");
    }
  }
  return values;
}

std::vector<double> ConfigReader::Numbers(std::string_view key, NumberRange range) {
  const toml::node* node = Find(key);
  std::vector<double> values;
  if (node == nullptr) return values;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    Note(node, key, "must be a list of numbers");
    return values;
  }
  for (const toml::node& item : *array) {
    const std::optional<double> value = item.value<double>();
    if (!item.is_number() || !value || !(*value >= range.min && *value <= range.max)) {
      Note(&item, key, fmt::format("must be numbers from {} to {}", range.min, range.max));
    } else {
      values.push_back(*value);
    }
  }
  return values;
}

std::string ConfigReader::Resolve(const std::string& path) const {
  return path.empty() ? path : (shared_->folder / path).lexically_normal().string();
}

std::string ConfigReader::Path(std::string_view key, std::string_view fallback) {
  return Resolve(String(key, fallback));
}

std::string ConfigReader::RequiredPath(std::string_view key) {
  return Resolve(RequiredString(key));
}

bool ConfigReader::CheckFile(std::string_view key, const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    Error(key, path + " is a folder, not a file");
    return false;
  }
  // Not waiting for somebody to write into a pipe.
  const auto file = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) Error(key, Message(file.status()));
  return file.ok();
}

bool ConfigReader::CheckFiles(const std::vector<File>& files) {
  bool all = true;
  for (const File& file : files) all &= !file.path.empty() && CheckFile(file.key, file.path);
  return all;
}

std::string_view ConfigReader::KeyOf(const std::vector<File>& files, std::string_view message) {
  std::string_view found;
  size_t longest = 0;
  for (const File& file : files) {
    if (!message.starts_with(file.path)) continue;
    const std::string_view rest = message.substr(file.path.size());
    if (!rest.empty() && rest[0] != ':' && rest[0] != ' ') continue;
    // The longest: "ca" is in "certificate", too.
    const size_t named = rest.find(file.key) == std::string_view::npos ? 0 : file.key.size();
    if (found.empty() || named > longest) found = file.key;
    longest = std::max(longest, named);
  }
  return found.empty() ? files.front().key : found;
}

std::string ConfigReader::Folder(std::string_view key, std::string_view fallback) {
  return ResolveFolder(key, String(key, fallback));
}

std::string ConfigReader::RequiredFolder(std::string_view key) {
  return ResolveFolder(key, RequiredString(key));
}

std::string ConfigReader::ResolveFolder(std::string_view key, const std::string& text) {
  std::string path = Resolve(text);
  if (!text.empty() && std::filesystem::path(text).is_relative()) {
    Warn(key, fmt::format("\"{}\" counts from the folder of this file and is {}; write the whole "
                          "path",
                          text, path));
  }
  std::error_code unknown;
  const auto kind = std::filesystem::status(path, unknown).type();
  if (!text.empty() && std::filesystem::exists(std::filesystem::file_status(kind)) &&
      kind != std::filesystem::file_type::directory) {
    Error(key, path + " is a file, not a folder");
  }
  return path;
}

ConfigReader ConfigReader::Table(std::string_view key) {
  const toml::node* node = Find(key);
  const toml::table* table = node == nullptr ? nullptr : node->as_table();
  if (node != nullptr && table == nullptr) Note(node, key, "must be a table");
  return ConfigReader(shared_, table, fmt::format("{}{}.", path_, key));
}

std::vector<ConfigReader> ConfigReader::Tables(std::string_view key) {
  std::vector<ConfigReader> tables;
  const toml::node* node = Find(key);
  if (node == nullptr) return tables;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    Note(node, key, fmt::format("must be a list of tables, written [[{}{}]]", path_, key));
    MarkUsed(*node, &shared_->used);  // that is all that is wrong with it
    return tables;
  }
  for (const toml::node& item : *array) {
    shared_->used.insert(&item);
    if (const toml::table* table = item.as_table()) {
      tables.push_back(
          ConfigReader(shared_, table, fmt::format("{}{}[{}].", path_, key, tables.size() + 1)));
    } else {
      Note(&item, key, fmt::format("must be a list of tables, written [[{}{}]]", path_, key));
    }
  }
  return tables;
}

void ConfigReader::FindUnknown(const toml::table& table, const std::string& path) {
  for (const auto& [key, node] : table) {
    const std::string name = path + std::string(key.str());
    if (!shared_->used.contains(&node)) {
      const toml::source_position at = node.source().begin;
      shared_->errors.push_back(
          {at.line, Printable(fmt::format("{}:{}:{}: {}: is not a known setting", shared_->name,
                                          at.line, at.column, name))});
      continue;
    }
    if (const toml::table* inner = node.as_table()) FindUnknown(*inner, name + ".");
    if (const toml::array* array = node.as_array()) {
      for (size_t i = 0; i < array->size(); ++i) {
        const toml::table* inner = array->get(i)->as_table();
        if (inner != nullptr) FindUnknown(*inner, fmt::format("{}[{}].", name, i + 1));
      }
    }
  }
}

absl::Status ConfigReader::Finish() {
  FindUnknown(shared_->root, "");
  if (shared_->errors.empty()) return absl::OkStatus();
  std::vector<Remark> all = shared_->errors;
  all.insert(all.end(), shared_->warnings.begin(), shared_->warnings.end());
  return absl::InvalidArgumentError(absl::StrJoin(InOrder(std::move(all)), "\n"));
}

}  // namespace gleaner

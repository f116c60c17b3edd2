#include "common/config.h"

#include <fmt/format.h>

#include <optional>
#include <span>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/status.h"

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

// As a double, the greatest int64_t is 2^63, which is none.
bool IsIn(double value, const IntRange& range) {
  return value >= static_cast<double>(range.min) && value <= static_cast<double>(range.max) &&
         value < 0x1p63;
}

// What the file holds may have line ends and terminal controls in it.
std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = '?';
  }
  return text;
}

}  // namespace

struct ConfigReader::Shared {
  std::string name;
  toml::table root;
  std::vector<std::string> errors;
  std::set<const toml::node*> used;
};

ConfigReader::ConfigReader(std::shared_ptr<Shared> shared, const toml::table* table,
                           std::string path)
    : shared_(std::move(shared)), table_(table), path_(std::move(path)) {}

absl::StatusOr<ConfigReader> ConfigReader::Load(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxConfigBytes));
  return Parse(text, path);
}

absl::StatusOr<ConfigReader> ConfigReader::Parse(std::string_view text, std::string name) {
  auto shared = std::make_shared<Shared>();
  shared->name = std::move(name);
  try {
    shared->root = toml::parse(text, shared->name);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        fmt::format("{}:{}:{}: {}", shared->name, error.source().begin.line,
                    error.source().begin.column, OneLine(std::string(error.description()))));
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

std::string ConfigReader::Where(const toml::node* node, std::string_view key) const {
  std::string where = shared_->name;
  const toml::node* at = node != nullptr ? node : table_;
  if (at != nullptr && at->source().begin.line > 0) {
    where += fmt::format(":{}:{}", at->source().begin.line, at->source().begin.column);
  }
  return fmt::format("{}: {}{}", where, path_, key);
}

void ConfigReader::Note(const toml::node* node, std::string_view key, std::string_view message) {
  shared_->errors.push_back(OneLine(fmt::format("{}: {}", Where(node, key), message)));
}

void ConfigReader::Error(std::string_view key, std::string_view message) {
  Note(table_ == nullptr ? nullptr : table_->get(key), key, message);
}

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
  if (node->is_integer()) return Int(key, fallback, range);
  const std::optional<double> value = Scaled(*node, kSizes);
  if (!value) {
    Note(node, key, "must be a size such as 536870912, \"512 MiB\" or \"2 GB\"");
  } else if (!IsIn(*value, range)) {
    Note(node, key,
         fmt::format("is {:.15g} bytes, must be {} to {}", *value, range.min, range.max));
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
      shared_->errors.push_back(
          OneLine(fmt::format("{}:{}:{}: {}: is not a known setting", shared_->name,
                              node.source().begin.line, node.source().begin.column, name)));
      continue;
    }
    if (const toml::table* inner = node.as_table()) FindUnknown(*inner, name + ".");
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& item : *array) {
        if (const toml::table* inner = item.as_table()) FindUnknown(*inner, name + ".");
      }
    }
  }
}

absl::Status ConfigReader::Finish() {
  FindUnknown(shared_->root, "");
  if (shared_->errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(shared_->errors, "\n"));
}

}  // namespace gleaner

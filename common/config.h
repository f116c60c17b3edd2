// TOML configuration, checked whole: every mistake is reported with file, line and what is allowed,
// not only the first. What is allowed but looks wrong is a warning.
//
//   ASSIGN_OR_RETURN(ConfigReader reader, ConfigReader::Load(path));
//   auto spool = reader.Table("spool");
//   options.quota = spool.Bytes("quota", 1 << 30, {.min = 64 << 20});
//   RETURN_IF_ERROR(reader.Finish());   // all errors, unknown keys included
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "toml++/toml.h"

namespace gleaner {

struct IntRange {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
};
struct NumberRange {
  double min = 0;
  double max = std::numeric_limits<double>::max();
};

// A table of a configuration file. Cheap to copy; all copies share one list of errors. A getter
// that finds a mistake notes it and returns the fallback, so that reading goes on. Not thread-safe.
class ConfigReader {
 public:
  // Reads and parses a file; INVALID_ARGUMENT with file, line and column on a syntax error.
  static absl::StatusOr<ConfigReader> Load(const std::string& path);
  // The same from text; `name` stands for the path in errors.
  static absl::StatusOr<ConfigReader> Parse(std::string_view text, std::string name);

  // Getters: the key's value, or `fallback` where the key is absent.
  std::string String(std::string_view key, std::string_view fallback);
  // As String, but absent or empty is an error.
  std::string RequiredString(std::string_view key);
  int64_t Int(std::string_view key, int64_t fallback, IntRange range = {});
  double Number(std::string_view key, double fallback, NumberRange range = {});
  bool Bool(std::string_view key, bool fallback);
  // An integer, or a string with a unit: "512 MiB", "2GB", "64KiB".
  int64_t Bytes(std::string_view key, int64_t fallback, IntRange range = {});
  // Nanoseconds from a string with a unit: "250ms", "10s", "5min", "2h", "7d".
  int64_t DurationNs(std::string_view key, int64_t fallback_ns, IntRange range_ns = {});
  std::vector<std::string> Strings(std::string_view key);
  // A list of numbers, each within `range`; empty where the key is absent.
  std::vector<double> Numbers(std::string_view key, NumberRange range = {});
  // A path. A relative one counts from the folder of the configuration file, whatever folder the
  // program was started in; an empty one stays empty.
  std::string Path(std::string_view key, std::string_view fallback);
  std::string RequiredPath(std::string_view key);
  // A path that came from the file, in full.
  std::string Resolve(const std::string& path) const;
  // Notes a mistake in `key` unless `path` is a file that this process can read; says whether it
  // is.
  bool CheckFile(std::string_view key, const std::string& path);
  // A key and the path that it names, of several that are read together.
  struct File {
    std::string_view key;
    std::string path;
  };
  // CheckFile of each; a path that is empty is one that has been noted already.
  bool CheckFiles(const std::vector<File>& files);
  // The key of the file whose path `message` begins with (of several the one it speaks of), so that
  // what is wrong is said at the file's line; the first one's if it begins with none.
  static std::string_view KeyOf(const std::vector<File>& files, std::string_view message);
  // As Path, of a folder for data: warns of a relative one, and something else is a mistake.
  std::string Folder(std::string_view key, std::string_view fallback);
  std::string RequiredFolder(std::string_view key);

  bool Has(std::string_view key) const;
  // A sub-table; empty (all fallbacks) where it is absent.
  ConfigReader Table(std::string_view key);
  // [[key]] arrays of tables.
  std::vector<ConfigReader> Tables(std::string_view key);

  // Notes a mistake that the caller found in `key`'s value: "file:12:8: camera.url: <message>".
  void Error(std::string_view key, std::string_view message);
  // The same of what works but hardly does what is meant: "file:12:8: warning: camera.url: …".
  // Finish() doesn't fail for it, but tells it where it fails.
  void Warn(std::string_view key, std::string_view message);
  // One line each, as Error() notes them, in the order of the file.
  std::vector<std::string> warnings() const;

  // OK, or INVALID_ARGUMENT with every mistake on its own line, in the order of the file, control
  // characters written out; a key that no getter asked for is a mistake. Call on the root reader,
  // last.
  absl::Status Finish();

 private:
  struct Shared;
  struct Remark;
  ConfigReader(std::shared_ptr<Shared> shared, const toml::table* table, std::string path);
  const toml::node* Find(std::string_view key);
  Remark About(const toml::node* node, std::string_view kind, std::string_view key,
               std::string_view message) const;
  void Note(const toml::node* node, std::string_view key, std::string_view message);
  std::string ResolveFolder(std::string_view key, const std::string& text);
  void FindUnknown(const toml::table& table, const std::string& path);

  std::shared_ptr<Shared> shared_;
  const toml::table* table_;  // null for an absent table
  std::string path_;          // "camera[1]." or empty for the root
};

}  // namespace gleaner

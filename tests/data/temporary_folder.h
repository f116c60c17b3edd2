// A folder that goes with the test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace gleaner {

// In memory where that can be: a killed process leaves the kernel's files as they are, so no test
// here needs a disk, and syncing one is what would take the time.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = "/dev/shm/gleaner-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      name = (std::filesystem::temp_directory_path() / "gleaner-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    }
    path_ = name;
  }
  // In `parent`, for what does need a disk.
  explicit TemporaryFolder(const std::string& parent) : path_(parent + "/gleaner-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp " + path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace gleaner

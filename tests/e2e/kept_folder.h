// A folder of a test's own that stays when the test fails, for a look at its logs.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <string>

namespace gleaner::e2e {

class KeptFolder {
 public:
  KeptFolder() : path_(testing::TempDir() + "/gleaner-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  KeptFolder(const KeptFolder&) = delete;
  KeptFolder& operator=(const KeptFolder&) = delete;
  ~KeptFolder() {
    if (testing::Test::HasFailure()) {
      std::fprintf(stderr, "kept for a look: %s\n", path_.c_str());
    } else {
      std::filesystem::remove_all(path_);
    }
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace gleaner::e2e

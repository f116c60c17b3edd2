// A rig for one test, and what others than ours read of what it made.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cloud/dataset/dataset_testing.h"
#include "tests/data/paths.h"
#include "tests/data/shell.h"

namespace gleaner::cloud {

class DatasetTest : public testing::Test {
 protected:
  // The list's frames, as they stand in it.
  std::vector<nlohmann::json> Frames(const std::string& name) {
    std::vector<nlohmann::json> frames;
    std::istringstream lines(rig_.ListOf(name));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) frames.push_back(nlohmann::json::parse(line));
    return frames;
  }
  nlohmann::json Card(const std::string& name) {
    return nlohmann::json::parse(rig_.datasets->Get(name).value().card_json());
  }
  std::string Save(const std::string& file, const std::string& bytes) {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;
    return folder_ / file;
  }
  // What another program than ours reads in it.
  std::string ReadBack(const std::string& what) {
    const auto [status, said] = Shell(fmt::format(
        "/usr/bin/python3 {}/tests/cloud/dataset/read_back.py {} 2>&1", SourceDir(), what));
    EXPECT_EQ(status, 0) << said;
    return said;
  }
  size_t Rubbish() { return rig_.catalog->names.FindRubbish("", 100'000).value().size(); }

  TemporaryFolder folder_;
  DatasetRig rig_{folder_ / ""};
};

}  // namespace gleaner::cloud

// A crash at every named step, and the proof that the check would see a wrong order of writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "tests/data/paths.h"
#include "tests/edge/spool/spool_testing.h"

extern char** environ;

namespace gleaner::edge {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kPoints[] = {
    "spool.create.blocks_reserved", "spool.create.ledger_built",
    "spool.create.ledger_renamed",  "spool.start.rows_written",
    "spool.start.committed",        "spool.number.rows_written",
    "spool.number.committed",       "spool.block.written",
    "spool.object.synced",          "spool.clip.rows_written",
    "spool.clip.committed",         "spool.fail.rows_written",
    "spool.fail.committed",         "spool.release.rows_written",
    "spool.release.committed",      "spool.evict.rows_written",
    "spool.evict.committed",        "spool.quarantine.rows_written",
    "spool.quarantine.committed",   "spool.acknowledge.rows_written",
    "spool.acknowledge.committed",
};

// True if the child was killed, false if it came to its end.
bool RunChild(const std::vector<std::string>& arguments, const std::string& crash_at) {
  std::vector<std::string> words = {BinDir() + "/spool_crash_child"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv, env;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  for (char** variable = environ; *variable != nullptr; ++variable) env.push_back(*variable);
  std::string at = "GLEANER_CRASH_AT=" + crash_at;
  env.push_back(at.data());
  env.push_back(nullptr);
  pid_t child = 0;
  EXPECT_EQ(::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), env.data()), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0)
      << crash_at;
  return WIFSIGNALED(status);
}

class SpoolCrash : public ::testing::TestWithParam<const char*> {
 protected:
  std::vector<std::string> Check() {
    return CheckSpool({.directory = spool_, .quota_bytes = 4 << 20}, Journal::Read(journal_));
  }
  TempFolder folder_;
  const std::string spool_ = folder_.path() + "/spool";
  const std::string journal_ = folder_.path() + "/journal";
};

TEST_P(SpoolCrash, LosesNothingAndDoublesNothing) {
  int crashes = 0;
  for (const int occurrence : {1, 4}) {
    // The same spool lives through all of them.
    const bool crashed = RunChild({"run", spool_, journal_},
                                  std::string(GetParam()) + ":" + std::to_string(occurrence));
    crashes += crashed ? 1 : 0;
    EXPECT_THAT(Check(), IsEmpty()) << GetParam() << " the " << occurrence << ". time";
    const bool once_a_process = std::string_view(GetParam()).starts_with("spool.create") ||
                                std::string_view(GetParam()).starts_with("spool.start");
    EXPECT_TRUE(crashed || (once_a_process && occurrence > 1)) << "never came by " << GetParam();
  }
  EXPECT_GE(crashes, 1);
}
INSTANTIATE_TEST_SUITE_P(AtEveryStep, SpoolCrash, ::testing::ValuesIn(kPoints),
                         [](const auto& info) {
                           return std::regex_replace(info.param, std::regex("[^a-z]"), "_");
                         });

TEST_F(SpoolCrash, SurvivesACrashWhileItRecoversFromACrash) {
  ASSERT_TRUE(RunChild({"run", spool_, journal_}, "spool.clip.rows_written:4"));
  ASSERT_TRUE(RunChild({"run", spool_, journal_}, "spool.start.rows_written:1"));
  ASSERT_TRUE(RunChild({"run", spool_, journal_}, "spool.start.committed:1"));
  EXPECT_THAT(Check(), IsEmpty());
}

TEST_F(SpoolCrash, IsSeenWhenTheLedgerIsCommittedBeforeTheBlocks) {
  // The negative control: a disk that writes blocks after the ledger must be found out by the same
  // check.
  ASSERT_TRUE(RunChild({"run", spool_, journal_, "--late-device"}, "spool.clip.committed:2"));
  EXPECT_THAT(Check(), Not(IsEmpty()));
}

TEST_F(SpoolCrash, IsSeenWhenANumberIsLost) {
  ASSERT_FALSE(RunChild({"run", spool_, journal_}, "never"));
  ASSERT_THAT(Check(), IsEmpty());
  std::ofstream(journal_, std::ios::app) << "taken 100000\n";
  EXPECT_THAT(Check(), Not(IsEmpty()));
}

TEST(SpoolCrashPoints, AreAllTested) {
  std::set<std::string> in_source;
  const std::regex point("GLEANER_CRASH_POINT\\(\"([^\"]+)\"\\)");
  for (const auto& file : std::filesystem::directory_iterator(SourceDir() + "/edge/spool")) {
    if (file.path().extension() != ".cpp") continue;
    std::ifstream in(file.path());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    for (std::sregex_iterator it(text.begin(), text.end(), point), end; it != end; ++it) {
      in_source.insert((*it)[1]);
    }
  }
  EXPECT_EQ(in_source, std::set<std::string>(std::begin(kPoints), std::end(kPoints)));
}

}  // namespace
}  // namespace gleaner::edge

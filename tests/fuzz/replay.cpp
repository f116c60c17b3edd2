// A target without libFuzzer: runs its seeds and every file of its corpus, then mutations of them,
// the same ones every time. With arguments it runs only the files they name.
//
//   fuzz_filter [FILE…]
//
// The input that ends the process, however it does, is left in fuzz_filter.input.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/data/paths.h"
#include "tests/fuzz/fuzz.h"

namespace gleaner::fuzz {
namespace {

constexpr int kMutations = 50'000;
constexpr std::chrono::seconds kTimeLimit{10};  // for slow machines and sanitizers
constexpr unsigned kHangLimitS = 60;  // of all; the limit above is looked at between inputs
constexpr size_t kMaxInputBytes = 1 << 20;

// Shared with the parent, which looks at it when the child is no more.
struct Current {
  size_t size;  // of the input that is being run
  uint8_t input[kMaxInputBytes];
};

void Run(const std::string& input, Current& current) {
  if (input.size() > kMaxInputBytes) return;
  std::memcpy(current.input, input.data(), input.size());
  current.size = input.size();
  // A heap block of exactly this size, so that AddressSanitizer sees a read past its end.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

std::string Contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// One to four edits; what is put in comes from the numbers that matter, or from another seed.
std::string Mutate(std::string text, const std::vector<std::string>& seeds,
                   std::mt19937_64& random) {
  constexpr std::string_view kBytes("\x00\x01\x7f\x80\xff\n\"\\-.09azAZ", 16);
  const auto pick = [&random](size_t below) { return below == 0 ? 0 : random() % below; };
  for (size_t edits = 1 + pick(4); edits > 0; --edits) {
    const size_t at = pick(text.size() + 1);
    const size_t left = text.size() - at;
    switch (pick(6)) {
      case 0:
        if (left > 0) text[at] = static_cast<char>(text[at] ^ (1 << pick(8)));
        break;
      case 1:
        if (left > 0) text[at] = kBytes[pick(kBytes.size())];
        break;
      case 2:
        text.insert(at, 1 + pick(8), kBytes[pick(kBytes.size())]);
        break;
      case 3:
        text.erase(at, 1 + pick(std::min<size_t>(left, 16)));
        break;
      case 4:
        if (left > 0) text.insert(pick(text.size()), text.substr(at, 1 + pick(32)));
        break;
      default: {
        const std::string& other = seeds[pick(seeds.size())];
        text.replace(at, pick(left + 1), other, pick(other.size() + 1), std::string::npos);
      }
    }
  }
  return text;
}

void RunAll(const std::string& name, Current& current) {
  std::vector<std::string> seeds = Seeds();
  std::vector<std::filesystem::path> files;
  const auto corpus = std::filesystem::path(SourceDir()) / "tests/fuzz/corpus" / name;
  if (std::filesystem::exists(corpus)) {
    for (const auto& entry : std::filesystem::directory_iterator(corpus)) files.push_back(entry);
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) seeds.push_back(Contents(file));
  REQUIRE(!seeds.empty());
  seeds.emplace_back();
  for (const std::string& seed : seeds) Run(seed, current);
  REQUIRE(accepted > 0);

  using std::chrono::steady_clock;
  const auto begin = steady_clock::now();
  std::mt19937_64 random(1);
  int made = 0;
  for (; made < kMutations && steady_clock::now() - begin < kTimeLimit; ++made) {
    Run(Mutate(seeds[random() % seeds.size()], seeds, random), current);
  }
  std::printf("%zu seeds and %d mutations of them, %lld accepted\n", seeds.size(), made,
              static_cast<long long>(accepted));
}

// In a process of its own: sanitizers end one in ways of theirs.
int Watch(const std::string& program, const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (::access(file.c_str(), R_OK) != 0) {
      std::perror(file.c_str());
      return 2;
    }
  }
  void* shared =
      ::mmap(nullptr, sizeof(Current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto& current = *static_cast<Current*>(shared);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(kHangLimitS);
    for (const std::string& file : files) Run(Contents(file), current);
    if (files.empty()) RunAll(program.substr(std::strlen("fuzz_")), current);
    return 0;
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (status == 0) return 0;
  const std::string path = std::filesystem::absolute(program + ".input");
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(current.input),
             static_cast<std::streamsize>(current.size));
  std::fprintf(stderr, "%s was ended by (or was too long with) this input: %s\n", program.c_str(),
               path.c_str());
  return 1;
}

}  // namespace
}  // namespace gleaner::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  return gleaner::fuzz::Watch(std::filesystem::path(arguments[0]).filename(),
                              {arguments.begin() + 1, arguments.end()});
}

#include "tests/bench/watch/cost.h"

extern "C" {
#include <libavcodec/avcodec.h>
}

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <vector>

#include "common/file.h"
#include "tests/data/paths.h"
#include "tests/edge/trigger/video_file.h"

namespace gleaner::bench {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

constexpr double kFramesPerS = 30;
// Past start-up and the first seconds, in which our detector learns what is quiet.
constexpr std::chrono::seconds kWarmUp(8);
constexpr std::chrono::seconds kMeasure(12);

double SecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

// A folder that goes with its contents.
struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "gleaner-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

std::string WriteConfig(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
  return path;
}

// The daemon's configuration: one camera, a rule that a quiet stream never fires, a server that
// isn't there.
std::string DaemonConfig(const std::string& stream, const fs::path& folder) {
  return fmt::format(R"(device = "bench"
[log]
level = "warn"
[spool]
directory = "{1}/spool"
quota = "64 MiB"
[server]
address = "127.0.0.1:1"
plaintext = true
[[camera]]
name = "front"
url = "{0}"
pace = "realtime"
loop = true
[[rule]]
name = "motion"
when = "motion > 0.02"
pre = "10s"
post = "5s"
)",
                     stream, folder.string());
}

std::string MotionConfig(const std::string& stream, const fs::path& folder) {
  return fmt::format(R"(daemon off
setup_mode off
log_level 4
log_file {1}/motion.log
target_dir {1}
netcam_url file://{0}
width 1280
height 720
framerate 30
pre_capture 300
movie_output on
movie_passthrough on
picture_output off
webcontrol_port 0
stream_port 0
)",
                     stream, folder.string());
}

// A child process, killed at the end if it hasn't gone by itself.
class Child {
 public:
  Child(const std::vector<std::string>& command, const std::string& notify_socket) {
    std::vector<char*> arguments;
    for (const std::string& argument : command)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const std::string notify = "NOTIFY_SOCKET=" + notify_socket;
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable)
      environment.push_back(*variable);
    if (!notify_socket.empty()) environment.push_back(const_cast<char*>(notify.c_str()));
    environment.push_back(nullptr);
    if (posix_spawnp(&pid_, arguments[0], nullptr, nullptr, arguments.data(), environment.data()) !=
        0) {
      throw std::runtime_error("can't run " + command[0]);
    }
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    for (int i = 0; i < 100; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // User and system time of all its threads so far, to the nanosecond: /proc counts in hundredths.
  double CpuSeconds() const {
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
      throw std::runtime_error("the program ended early");
    }
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  double RssMb() const {
    std::ifstream in(fmt::format("/proc/{}/status", pid_));
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) * 1024 / 1e6;
    }
    throw std::runtime_error("the program ended early");
  }

 private:
  pid_t pid_ = -1;
};

// Where a program says that it is ready, see sd_notify(3).
class NotifySocket {
 public:
  explicit NotifySocket(const fs::path& path)
      : path_(path), fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX};
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      throw std::runtime_error("can't bind " + path_);
    }
  }
  const std::string& path() const { return path_; }
  void AwaitReady() {
    const auto begin = SteadyClock::now();
    while (SecondsSince(begin) < 20) {
      pollfd waiting{.fd = fd_.get(), .events = POLLIN};
      if (poll(&waiting, 1, 1000) <= 0) continue;
      char message[512];
      const ssize_t size = recv(fd_.get(), message, sizeof(message), 0);
      if (size > 0 && std::string_view(message, static_cast<size_t>(size)).find("READY=1") !=
                          std::string_view::npos) {
        return;
      }
    }
    throw std::runtime_error("the daemon did not get ready");
  }

 private:
  std::string path_;
  Fd fd_;
};

void MeasureRunning(const Child& child, Cost& cost) {
  std::this_thread::sleep_for(kWarmUp);
  const auto begin = SteadyClock::now();
  const double cpu_s = child.CpuSeconds();
  std::this_thread::sleep_for(kMeasure);
  cost.cpu_ms_per_frame = (child.CpuSeconds() - cpu_s) * 1e3 / (SecondsSince(begin) * kFramesPerS);
  cost.rss_mb = child.RssMb();
}

}  // namespace

Cost MeasureDaemon(const std::string& stream) {
  const TemporaryFolder folder;
  NotifySocket notify(folder.path / "notify");
  const std::string config =
      WriteConfig(folder.path / "edge.toml", DaemonConfig(stream, folder.path));
  Cost cost;
  const auto begin = SteadyClock::now();
  const Child child({BinDir() + "/gleaner-edge", "--config", config}, notify.path());
  notify.AwaitReady();
  cost.start_s = SecondsSince(begin);
  MeasureRunning(child, cost);
  return cost;
}

Cost MeasureMotion(const std::string& stream) {
  const TemporaryFolder folder;
  const std::string config =
      WriteConfig(folder.path / "motion.conf", MotionConfig(stream, folder.path));
  Cost cost;
  const Child child({"motion", "-n", "-c", config}, "");
  MeasureRunning(child, cost);
  return cost;
}

double DecodeCpuMsPerFrame(const std::string& stream) {
  const edge::VideoFile file(stream);
  AVCodecContext* context =
      avcodec_alloc_context3(avcodec_find_decoder(file.format.parameters->codec_id));
  avcodec_parameters_to_context(context, file.format.parameters.get());
  context->thread_count = 1;
  avcodec_open2(context, context->codec, nullptr);
  AVFrame* frame = av_frame_alloc();
  int frames = 0;
  timespec begin{};
  timespec end{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
  for (const edge::Packet& packet : file.packets) {
    avcodec_send_packet(context, packet.data.get());
    while (avcodec_receive_frame(context, frame) >= 0) ++frames;
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  av_frame_free(&frame);
  avcodec_free_context(&context);
  return (static_cast<double>(end.tv_sec - begin.tv_sec) * 1e3 +
          static_cast<double>(end.tv_nsec - begin.tv_nsec) / 1e6) /
         std::max(1, frames);
}

}  // namespace gleaner::bench

// How fast and at what cost clips of 1 MiB are taken in, over mutual TLS on loopback.
//
//   bench_ingest [--json] [--dir DIR] [--rounds N] [--megabytes N]
//
// Servers, each a process of its own, take turns with one client process of the same build:
//   ingest            ours: every clip verified (XXH3 a chunk, SHA-256 an object), durable
//                     (fdatasync) and committed to the catalogue before its receipt counts
//   grpc_discard_tls  the same chunks on the same kind of stream to a server that throws them away
//   nginx_dav_put     Debian's nginx with its WebDAV module: one HTTPS PUT a clip with libcurl over
//                     kept connections, client certificates too; nothing is verified or synced
//   nginx_dav_put_durable  the same, and then what it takes to promise what our receipt does: the
//                     file is read back for its SHA-256, it and its folder are synced (by the
//                     client's thread; a hook on the server would cost as much)
// The client has a thread a device. The clock runs from the first byte of a clip to the last
// acknowledgement; connecting, and what a device did long before (manifests, checksums), is off it.
//
// cpu_s_per_gb is the user and system time of client and server together for 10^9 bytes of payload.
// Kernel threads that write nginx's files back later are in nobody's account; what our fdatasync
// does in our threads is in ours. Figures are medians over the rounds; files are emptied and the
// disk synced between turns, off the clock. _1 and _50 are the numbers of devices.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <thread>

#include "CLI/CLI.hpp"
#include "tests/bench/figure.h"
#include "tests/bench/ingest/clients.h"
#include "tests/bench/ingest/process.h"
#include "tests/bench/ingest/servers.h"
#include "tests/data/pki.h"

namespace gleaner::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}
double OwnCpuSeconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

std::unique_ptr<Client> NewClient(const ClientOptions& options, int device) {
  if (options.kind == "ingest") return NewIngestClient(options, device);
  if (options.kind == "discard") return NewDiscardClient(options, device);
  return NewPutClient(options, device, /*durable=*/options.kind == "put_durable");
}

// In the child: "ready", waits for "go", sends, prints seconds and CPU seconds.
int RunClient(const ClientOptions& options) {
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::string> errors(static_cast<size_t>(options.devices));
  const auto everywhere = [&](const std::function<void(Client&)>& work) {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < clients.size(); ++i) {
      threads.emplace_back([&, i] {
        try {
          work(*clients[i]);
        } catch (const std::exception& error) {
          errors[i] = error.what();
        }
      });
    }
  };
  for (int i = 0; i < options.devices; ++i) clients.push_back(NewClient(options, i));
  everywhere([](Client& client) { client.Connect(); });
  std::printf("ready\n");
  std::fflush(stdout);
  while (std::fgetc(stdin) != '\n') {
  }
  const auto start = SteadyClock::now();
  const double cpu = OwnCpuSeconds();
  everywhere([](Client& client) { client.Send(); });
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  std::printf("%.6f %.6f\n", seconds, OwnCpuSeconds() - cpu);
  std::fflush(stdout);
  for (const std::string& error : errors) {
    if (error.empty()) continue;
    std::fprintf(stderr, "bench_ingest: %s\n", error.c_str());
    return 1;
  }
  while (std::fgetc(stdin) != EOF) {
  }
  return 0;
}

struct Server {
  std::unique_ptr<Process> process;
  int port = 0;
};

// What is measured: a kind of client and the server that it sends to.
struct Way {
  std::string kind;
  const Server& server;
};

struct Measured {
  double mb_s = 0;
  double cpu_s_per_gb = 0;
};

Measured Turn(const std::string& program, const Way& way, ClientOptions options, bool verbose) {
  const Server& server = way.server;
  options.kind = way.kind;
  options.address = fmt::format("localhost:{}", server.port);
  Process client({program, "--client", options.kind, "--address", options.address, "--dir",
                  options.folder, "--devices", std::to_string(options.devices), "--clips",
                  std::to_string(options.clips), "--round", std::to_string(options.round)});
  if (client.ReadLine() != "ready") throw std::runtime_error("the client is not ready");
  const double before = server.process->CpuSeconds();
  client.WriteLine("go");
  double seconds = 0, cpu = 0;
  if (std::sscanf(client.ReadLine().c_str(), "%lf %lf", &seconds, &cpu) != 2) {
    throw std::runtime_error("the client says nothing");
  }
  const double server_cpu = server.process->CpuSeconds() - before;
  const double bytes = static_cast<double>(options.devices) * options.clips * kClipBytes;
  if (verbose) {
    std::fprintf(stderr, "%-11s %3d devices: %.3f s, CPU s/GB: client %.3f, server %.3f\n",
                 way.kind.c_str(), options.devices, seconds, cpu / (bytes / 1e9),
                 server_cpu / (bytes / 1e9));
  }
  return {.mb_s = bytes / 1e6 / seconds, .cpu_s_per_gb = (cpu + server_cpu) / (bytes / 1e9)};
}

// Gives the room back, but not the inodes of nginx's files: ext4 without a journal looks at every
// inode that was freed within the last minute before it gives one out, and would charge one turn's
// deletions to the next. Our last segment is still written to.
void Clear(const std::string& folder) {
  namespace fs = std::filesystem;
  for (const auto& entry : fs::recursive_directory_iterator(folder + "/www")) {
    if (entry.is_regular_file()) fs::resize_file(entry.path(), 0);
  }
  std::vector<fs::directory_entry> segments(fs::directory_iterator(folder + "/blobs"), {});
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a.last_write_time() < b.last_write_time(); });
  for (size_t i = 0; i + 1 < segments.size(); ++i) fs::remove(segments[i].path());
  ::sync();
}

void Report(Reporter& reporter, int devices,
            const std::map<std::string, std::vector<Measured>>& measured) {
  const auto median = [&](const std::string& kind, double Measured::*field) {
    std::vector<double> values;
    for (const Measured& one : measured.at(kind)) values.push_back(one.*field);
    return Median(values);
  };
  const auto add = [&](const char* figure, double Measured::*field, const char* unit,
                       const char* peer, const char* kind, const char* goal) {
    reporter.Add({.bench = "ingest",
                  .figure = fmt::format("{}_{}", figure, devices),
                  .value = median("ingest", field),
                  .unit = unit,
                  .peer = peer,
                  .peer_value = median(kind, field),
                  .goal = goal});
  };
  add("mb_s", &Measured::mb_s, "MB/s", "grpc_discard_tls", "discard", ">= 0.7");
  add("mb_s", &Measured::mb_s, "MB/s", "nginx_dav_put", "put", "> 1");
  add("mb_s", &Measured::mb_s, "MB/s", "nginx_dav_put_durable", "put_durable", "");
  add("cpu_s_per_gb", &Measured::cpu_s_per_gb, "s", "grpc_discard_tls", "discard", "");
  add("cpu_s_per_gb", &Measured::cpu_s_per_gb, "s", "nginx_dav_put", "put", "<= 0.85");
  add("cpu_s_per_gb", &Measured::cpu_s_per_gb, "s", "nginx_dav_put_durable", "put_durable", "");
}

int RunBench(int argc, char** argv, const std::string& parent, int rounds, int megabytes,
             const std::string& only, bool verbose) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::string folder = parent + "/bench-ingest-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("mkdtemp " + folder);
  const std::unique_ptr<const std::string, void (*)(const std::string*)> removed(
      &folder, [](const std::string* path) { std::filesystem::remove_all(*path); });

  TestPki pki;
  pki.Write(folder);
  for (int i = 0; i < 50; ++i) {
    const std::string name = fmt::format("dev-{}", i);
    pki.Write(folder, name, pki.Device(name));
  }
  const auto start = [&](const char* kind) {
    Server server{.process = std::make_unique<Process>(
                      std::vector<std::string>{program, "--serve", kind, "--dir", folder})};
    server.port = std::stoi(server.process->ReadLine());
    return server;
  };
  const Server ingest = start("ingest"), discard = start("discard");
  Server nginx;
  nginx.process = StartNginx(folder, &nginx.port);
  const std::vector<Way> ways = {
      {"ingest", ingest}, {"discard", discard}, {"put", nginx}, {"put_durable", nginx}};

  Reporter reporter(argc, argv);
  int round = 0;
  for (const int devices : {1, 50}) {
    const int clips = std::max(1, megabytes / devices);
    std::map<std::string, std::vector<Measured>> measured;
    // The first round warms up: page cache, branch predictors, file-system journal.
    for (int i = 0; i <= rounds; ++i) {
      for (const Way& way : ways) {
        if (!only.empty() && way.kind != only) {
          measured[way.kind].resize(1);
          continue;
        }
        const Measured one =
            Turn(program, way,
                 {.folder = folder, .devices = devices, .clips = clips, .round = ++round}, verbose);
        if (i > 0) measured[way.kind].push_back(one);
        Clear(folder);
      }
    }
    Report(reporter, devices, measured);
  }
  return 0;
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  using namespace gleaner::bench;
  CLI::App app("Clips taken in per second and CPU, against a bare gRPC stream and nginx");
  bool json = false, verbose = false;
  int rounds = 5, megabytes = 256;
  std::string serve, only;
  ClientOptions client;
  std::string folder = std::filesystem::temp_directory_path().string();
  app.add_flag("--json", json, "One JSON object a figure");
  app.add_option("--dir", folder, "Where to put files: the disk that is measured");
  app.add_option("--rounds", rounds, "Turns of each server; figures are their medians")
      ->check(CLI::Range(1, 100));
  app.add_option("--megabytes", megabytes, "MiB that are sent in a turn")
      ->check(CLI::Range(50, 100'000));
  app.add_option("--only", only, "Measure one of ingest, discard, put, put_durable: for profiling");
  app.add_flag("--verbose", verbose, "Each turn on standard error, client and server apart");
  // How the benchmark starts itself.
  app.add_option("--serve", serve)->group("");
  app.add_option("--client", client.kind)->group("");
  app.add_option("--address", client.address)->group("");
  app.add_option("--devices", client.devices)->group("");
  app.add_option("--clips", client.clips)->group("");
  app.add_option("--round", client.round)->group("");
  CLI11_PARSE(app, argc, argv);
  client.folder = folder;
  try {
    if (!serve.empty()) return Serve(serve, folder);
    if (!client.kind.empty()) return RunClient(client);
    return RunBench(argc, argv, folder, rounds, megabytes, only, verbose);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ingest: %s\n", error.what());
    return 1;
  }
}

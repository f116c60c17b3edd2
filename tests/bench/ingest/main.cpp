// How fast and at what cost clips of 1 MiB are taken in, over mutual TLS on loopback.
//
//   bench_ingest [--json] [--dir DIR] [--rounds N] [--megabytes N] [--only WAY] [--verbose]
//
// Servers, each a process of its own, take turns with one client process of the same build:
//   ingest            ours: every clip verified (XXH3 a chunk, SHA-256 an object), durable
//                     (fdatasync) and committed to the catalog before its receipt counts
//   nginx_dav_put_durable  Debian's nginx with its WebDAV module: one HTTPS PUT a clip with libcurl
//                     over kept connections, client certificates too; and then what it takes to
//                     promise what our receipt does: the file is read back for its SHA-256, it and
//                     its folder are synced. That is a server's work: the client's thread stands
//                     for a hook in nginx, which would cost as much, and its CPU time for that is
//                     counted as the server's; nginx_without_the_hook is its own alone
//   grpc_discard_tls  the same chunks on the same kind of stream to a server that throws them away
// and, where radosgw is installed, of "postgres+s3":
//   ingest            ours over a PostgreSQL and a bucket, as one of many servers
//   curl_s3_put       no server of ours: each device puts its clips into a bucket of the same
//                     radosgw by one PUT a clip with libcurl, in the clear; the store verifies the
//                     SHA-256. Its objects are on the disk, as PostgreSQL is (synced)
// The client has a thread a device. The clock runs from the first byte of a clip to the last
// acknowledgement; connecting, and what a device did long before (manifests, checksums), is off it.
//
// server_cpu_s_per_gb is the user and system time of the server for 10^9 bytes of payload,
// cpu_s_per_gb that of client and server together. Kernel threads that write files back later are
// in nobody's account; what our fdatasync does in our threads is in ours. Figures are medians over
// the rounds; files are emptied and the disk synced between turns, off the clock. _1 and _50 are
// the numbers of devices.
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
#include "tests/bench/ingest/shared_stores.h"
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
  if (options.kind == "s3_put") return NewS3PutClient(options, device);
  return NewPutClient(options, device);
}

// In the child: "ready", waits for "go", sends, prints seconds, and CPU seconds of its own and such
// that stand for a server's.
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
  double servers_cpu = 0;
  for (const auto& client : clients) servers_cpu += client->ServersCpuSeconds();
  std::printf("%.6f %.6f %.6f\n", seconds, OwnCpuSeconds() - cpu - servers_cpu, servers_cpu);
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
  std::string name;
  std::string kind;  // of the client
  std::string address;
  std::string s3_key = {};
  const Process* server = nullptr;  // null: its CPU time isn't measured
};

struct Measured {
  double mb_s = 0;
  double cpu_s_per_gb = 0;
  double server_cpu_s_per_gb = 0;   // with what stands for a server's work
  double process_cpu_s_per_gb = 0;  // the server's process alone
};

Measured Turn(const std::string& program, const Way& way, const ClientOptions& options,
              bool verbose) {
  Process client({program, "--client", way.kind, "--address", way.address, "--s3-key", way.s3_key,
                  "--dir", options.folder, "--devices", std::to_string(options.devices), "--clips",
                  std::to_string(options.clips), "--round", std::to_string(options.round)});
  if (client.ReadLine() != "ready") throw std::runtime_error("the client is not ready");
  const auto server_now = [&] { return way.server == nullptr ? 0 : way.server->CpuSeconds(); };
  const double before = server_now();
  client.WriteLine("go");
  double seconds = 0, cpu = 0, servers_cpu = 0;
  if (std::sscanf(client.ReadLine().c_str(), "%lf %lf %lf", &seconds, &cpu, &servers_cpu) != 3) {
    throw std::runtime_error("the client says nothing");
  }
  const double server_cpu = server_now() - before;
  const double bytes = static_cast<double>(options.devices) * options.clips * kClipBytes;
  const double gb = bytes / 1e9;
  if (verbose) {
    std::fprintf(
        stderr,
        "%-11s %3d devices: %.3f s, CPU s/GB: client %.3f, server %.3f, in its stead %.3f\n",
        way.name.c_str(), options.devices, seconds, cpu / gb, server_cpu / gb, servers_cpu / gb);
  }
  return {.mb_s = bytes / 1e6 / seconds,
          .cpu_s_per_gb = (cpu + server_cpu + servers_cpu) / gb,
          .server_cpu_s_per_gb = (server_cpu + servers_cpu) / gb,
          .process_cpu_s_per_gb = server_cpu / gb};
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

using Turns = std::map<std::string, std::vector<Measured>>;  // by way

// Takes turns; the first round warms up: page cache, branch predictors, file-system journal.
class Contest {
 public:
  Contest(std::string program, int rounds, int megabytes, std::string only, bool verbose)
      : program_(std::move(program)),
        rounds_(rounds),
        megabytes_(megabytes),
        only_(std::move(only)),
        verbose_(verbose) {}

  Turns Run(const std::string& folder, const std::vector<Way>& ways, int devices,
            const std::function<void()>& clear) {
    Turns turns;
    for (int i = 0; i <= rounds_; ++i) {
      for (const Way& way : ways) {
        if (!only_.empty() && way.name != only_) {
          turns[way.name].resize(1);
          continue;
        }
        const Measured one = Turn(program_, way,
                                  {.folder = folder,
                                   .devices = devices,
                                   .clips = std::max(1, megabytes_ / devices),
                                   .round = ++round_},
                                  verbose_);
        if (i > 0) turns[way.name].push_back(one);
        clear();
      }
    }
    return turns;
  }

 private:
  const std::string program_;
  const int rounds_, megabytes_;
  const std::string only_;
  const bool verbose_;
  int round_ = 0;
};

// Figures of `devices` devices.
class Report {
 public:
  Report(Reporter& reporter, const Turns& turns, int devices, std::string of = "")
      : reporter_(reporter), turns_(turns), devices_(devices), of_(std::move(of)) {}

  void Add(const char* figure, double Measured::*field, const char* unit, const char* way,
           const char* peer, const char* peer_way, const char* goal = "") {
    reporter_.Add({.bench = "ingest",
                   .figure = fmt::format("{}_{}", figure, devices_),
                   .value = MedianOf(way, field),
                   .unit = unit,
                   .peer = peer,
                   .peer_value = MedianOf(peer_way, field),
                   .goal = goal,
                   .of = of_});
  }

 private:
  double MedianOf(const char* way, double Measured::*field) const {
    std::vector<double> values;
    for (const Measured& one : turns_.at(way)) values.push_back(one.*field);
    return Median(values);
  }

  Reporter& reporter_;
  const Turns& turns_;
  const int devices_;
  const std::string of_;
};

struct Files {
  Server ingest, discard, nginx;

  std::vector<Way> Ways() const {
    const auto way = [](const char* name, const Server& server) {
      return Way{.name = name,
                 .kind = name,
                 .address = fmt::format("localhost:{}", server.port),
                 .server = server.process.get()};
    };
    return {way("ingest", ingest), way("put_durable", nginx), way("discard", discard)};
  }
};

void ReportFiles(Reporter& reporter, const Turns& turns, int devices) {
  constexpr const char *kIngest = "ingest", *kDurable = "nginx_dav_put_durable",
                       *kDiscard = "grpc_discard_tls";
  Report report(reporter, turns, devices);
  report.Add("mb_s", &Measured::mb_s, "MB/s", kIngest, kDurable, "put_durable",
             devices == 1 ? ">= 1.2" : ">= 0.8");
  report.Add("server_cpu_s_per_gb", &Measured::server_cpu_s_per_gb, "s", kIngest, kDurable,
             "put_durable", devices == 1 ? "" : "<= 1.3");
  report.Add("server_cpu_s_per_gb", &Measured::process_cpu_s_per_gb, "s", kIngest,
             "nginx_without_the_hook", "put_durable");
  report.Add("cpu_s_per_gb", &Measured::cpu_s_per_gb, "s", kIngest, kDurable, "put_durable");
  report.Add("mb_s", &Measured::mb_s, "MB/s", kIngest, kDiscard, "discard");
  report.Add("cpu_s_per_gb", &Measured::cpu_s_per_gb, "s", kIngest, kDiscard, "discard");
}

int RunBench(Reporter& reporter, Contest& contest, const std::string& program,
             const std::string& parent) {
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
  const auto start = [&](std::vector<std::string> options) {
    std::vector<std::string> command = {program, "--dir", folder, "--serve"};
    command.insert(command.end(), options.begin(), options.end());
    Server server{.process = std::make_unique<Process>(command)};
    server.port = std::stoi(server.process->ReadLine());
    return server;
  };
  {
    Files files{.ingest = start({"ingest"}), .discard = start({"discard"}), .nginx = {}};
    files.nginx.process = StartNginx(folder, &files.nginx.port);
    for (const int devices : {1, 50}) {
      ReportFiles(reporter, contest.Run(folder, files.Ways(), devices, [&] { Clear(folder); }),
                  devices);
    }
  }
  if (!HasRadosgw()) {
    std::fprintf(stderr, "bench_ingest: no figures of postgres+s3: %s\n", kNoRadosgw);
    return 0;
  }
  SharedStores stores(parent, folder);
  const Server ingest = start({"ingest_s3", "--database", stores.database(), "--s3-endpoint",
                               stores.endpoint(), "--s3-bucket", stores.bucket()});
  const std::vector<Way> ways = {{.name = "ingest_s3",
                                  .kind = "ingest",
                                  .address = fmt::format("localhost:{}", ingest.port),
                                  .server = ingest.process.get()},
                                 {.name = "s3_put",
                                  .kind = "s3_put",
                                  .address = stores.peers_bucket_url(),
                                  .s3_key = stores.key()}};
  for (const int devices : {1, 50}) {
    const Turns turns = contest.Run(folder, ways, devices, [&] { stores.Clear(); });
    Report(reporter, turns, devices, "postgres+s3")
        .Add("mb_s", &Measured::mb_s, "MB/s", "ingest_s3", "curl_s3_put", "s3_put", ">= 0.7");
  }
  return 0;
}

}  // namespace
}  // namespace gleaner::bench

int main(int argc, char** argv) {
  using namespace gleaner::bench;
  CLI::App app("Clips taken in per second and CPU, against nginx, a bare gRPC stream and S3");
  bool json = false, verbose = false;
  int rounds = 5, megabytes = 256;
  std::string only;
  ServeOptions serve;
  ClientOptions client;
  std::string folder = std::filesystem::temp_directory_path().string();
  app.add_flag("--json", json, "One JSON object a figure");
  app.add_option("--dir", folder, "Where to put files: the disk that is measured");
  app.add_option("--rounds", rounds, "Turns of each server; figures are their medians")
      ->check(CLI::Range(1, 100));
  app.add_option("--megabytes", megabytes, "MiB that are sent in a turn")
      ->check(CLI::Range(50, 100'000));
  app.add_option("--only", only,
                 "Measure one of ingest, put_durable, discard, ingest_s3, s3_put: for profiling");
  app.add_flag("--verbose", verbose, "Each turn on standard error, client and server apart");
  // How the benchmark starts itself.
  app.add_option("--serve", serve.kind)->group("");
  app.add_option("--database", serve.database)->group("");
  app.add_option("--s3-endpoint", serve.s3_endpoint)->group("");
  app.add_option("--s3-bucket", serve.s3_bucket)->group("");
  app.add_option("--client", client.kind)->group("");
  app.add_option("--address", client.address)->group("");
  app.add_option("--s3-key", client.s3_key)->group("");
  app.add_option("--devices", client.devices)->group("");
  app.add_option("--clips", client.clips)->group("");
  app.add_option("--round", client.round)->group("");
  CLI11_PARSE(app, argc, argv);
  client.folder = serve.folder = folder;
  try {
    if (!serve.kind.empty()) return Serve(serve);
    if (!client.kind.empty()) return RunClient(client);
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    Reporter reporter(argc, argv);
    Contest contest(program, rounds, megabytes, only, verbose);
    return RunBench(reporter, contest, program, folder);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_ingest: %s\n", error.what());
    return 1;
  }
}

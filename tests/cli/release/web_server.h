// A web server of a folder whose files can be made to go on and on.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <thread>

#include "common/file.h"
#include "httplib.h"

namespace gleaner {

// Serves the files of `folder`. Where FILE.endless is beside FILE, what comes after FILE's own
// bytes goes on far beyond any bound, without a length said beforehand: blanks, which JSON allows
// anywhere. It ends at last because tuf-js goes on reading, behind what it has refused.
class WebServer {
 public:
  explicit WebServer(std::string folder) : folder_(std::move(folder)) {
    server_.Get(".*", [this](const httplib::Request& request, httplib::Response& response) {
      const std::string path = folder_ + request.path;
      const bool endless = std::filesystem::exists(path + ".endless");
      const auto bytes = ReadFile(path, 64 << 20);
      if (!bytes.ok() && !endless) {
        response.status = 404;
        return;
      }
      const std::string begin = bytes.ok() ? *bytes : "";
      if (!endless) {
        response.set_content(begin, "application/octet-stream");
        return;
      }
      response.set_chunked_content_provider(
          "application/octet-stream", [begin](size_t offset, httplib::DataSink& sink) {
            if (offset >= kFarBeyond) {
              sink.done();
              return true;
            }
            const std::string more = (offset == 0 ? begin : "") + std::string(64 * 1024, ' ');
            return sink.write(more.data(), more.size());
          });
    });
    // A reader that has enough may keep its connection and read no more, and the server has a
    // thread a connection.
    server_.set_keep_alive_max_count(1);
    server_.new_task_queue = [] { return new httplib::ThreadPool(64); };
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~WebServer() {
    server_.stop();
    thread_.join();
  }
  std::string Url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}/{}", port_, path);
  }

 private:
  static constexpr size_t kFarBeyond = 8 << 20;

  std::string folder_;
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace gleaner

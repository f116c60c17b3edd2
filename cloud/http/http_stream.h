// A body without an end, which grows as things happen: server-sent events.
#pragma once

#include <cstddef>
#include <string>

namespace gleaner::cloud {

class HttpStream {
 public:
  virtual ~HttpStream() = default;
  // Appends what is to be sent now, at most about `max_bytes`, to *out. False: the body ends here,
  // after what was appended. Called on the loop's thread whenever the connection has taken
  // everything before, after HttpServer::WakeStreams and at least once a second: must not block.
  virtual bool Poll(size_t max_bytes, std::string* out) = 0;
};

}  // namespace gleaner::cloud

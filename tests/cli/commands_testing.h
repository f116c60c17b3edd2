// What the tests of the commands share: a real server side, and a client of it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <string>

#include "cli/client.h"
#include "tests/cloud/http/service_testing.h"

namespace gleaner::cli {

class CommandsTest : public cloud::ServiceTest {
 protected:
  CommandsTest() {
    setenv("TZ", "UTC0", 1);  // times are told in the reader's zone
    tzset();
  }
  Client Connect(const std::string& token = "") {
    return Client::Connect({.url = Url(), .token = token}).value();
  }
  std::string Url() { return fmt::format("http://127.0.0.1:{}", http_->port()); }

  // What `command` prints; it must succeed.
  template <typename Command>
  std::string Output(Command command) {
    testing::internal::CaptureStdout();
    const absl::Status status = command();
    const std::string printed = testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    return printed;
  }
};

}  // namespace gleaner::cli

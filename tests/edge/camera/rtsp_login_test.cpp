// Logging in to a camera, in a real dialogue: every scheme that it may ask for, and above all what
// happens where the password is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "common/status.h"
#include "tests/edge/camera/camera_door.h"
#include "tests/edge/camera/camera_rig.h"
#include "tests/edge/camera/camera_watch.h"
#include "tests/edge/camera/rtsp_camera.h"

namespace gleaner::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kS = kNanosPerSecond;
constexpr int64_t kMinute = 60 * kS;

Film ShortFilm() {
  return Film::Load(MakeFilm(
      {.seconds = 3, .encode = "-c:v libx264 -preset ultrafast -bf 0 -g 25 -pix_fmt yuv420p"}));
}

using Door = std::function<std::optional<RtspBehavior::Answer>(const RtspRequest&)>;

const CameraOptions kWrongPassword = [] {
  CameraOptions options;
  options.name = "door";
  options.login = {.user = "admin", .password = "wrong"};
  return options;
}();

class FieldLogin : public CameraRig {
 protected:
  // A camera that never takes the login, watched for hours in which nothing is waited for: when it
  // was asked to, in minutes since the first time.
  std::vector<int64_t> MinutesOfTries(const Door& door, CameraOptions options, size_t tries,
                                      CameraStatus* last = nullptr) {
    std::mutex mutex;
    std::vector<int64_t> times_ns;
    FakeClock clock;
    clock.AutoAdvance(true);
    RtspCamera camera(film_, RtspBehavior{.door = [&](const RtspRequest& request) {
                        auto answer = door(request);
                        std::lock_guard lock(mutex);
                        if (options.login.given() ? request.headers.contains("authorization")
                                                  : request.method == "OPTIONS") {
                          times_ns.push_back(clock.MonotonicNs());
                        }
                        return answer;
                      }});
    options.address = *CameraAddress::Parse(camera.url());
    CameraWatch watch(options, clock);
    EXPECT_TRUE(Eventually([&] {
      std::lock_guard lock(mutex);
      return times_ns.size() >= tries;
    }));
    if (last != nullptr) *last = watch.status();
    // In silence the watchdog would see a standstill.
    EXPECT_LE(watch.longest_silence_ns(), 30 * kS);
    std::lock_guard lock(mutex);
    std::vector<int64_t> minutes;
    for (size_t i = 0; i < tries && i < times_ns.size(); ++i) {
      minutes.push_back((times_ns[i] - times_ns[0]) / kMinute);
    }
    return minutes;
  }

  const Film film_ = ShortFilm();
  FakeClock clock_;
};

TEST_F(FieldLogin, AnswersTheStrongestOfWhatACameraAsksForInAnyOrder) {
  struct Case {
    CameraDoorOptions door;
    std::string scheme;
  };
  for (const Case& c : std::vector<Case>{
           {{.schemes = {"Basic"}}, "Basic"},
           {{.schemes = {"MD5"}}, "MD5"},
           {{.schemes = {"MD5"}, .qop = false}, "MD5"},
           {{.schemes = {"MD5-sess"}}, "MD5-sess"},
           {{.schemes = {"SHA-256"}}, "SHA-256"},
           {{.schemes = {"SHA-256"}, .qop = false}, "SHA-256"},
           {{.schemes = {"SHA-256-sess"}}, "SHA-256-sess"},
           {{.schemes = {"SHA-512-256"}}, "SHA-512-256"},
           {{.schemes = {"MD5", "SHA-256"}}, "SHA-256"},
           {{.schemes = {"SHA-256", "MD5"}}, "SHA-256"},
           {{.schemes = {"Basic", "SHA-256", "MD5"}, .one_header = true}, "SHA-256"},
           {{.schemes = {"Basic", "MD5"}}, "MD5"},
           // Passwords and users that a URL or a header would trip over.
           {{.schemes = {"SHA-256"}, .user = "ad min", .password = "p@s:s/w?o#rd %41"}, "SHA-256"},
           {{.schemes = {"Basic"}, .password = "p@s:s/w?o#rd"}, "Basic"},
       }) {
    const CameraDoor door(c.door);
    RtspCamera camera(film_, RtspBehavior{.door = door});
    CameraOptions options = LiveOptions(camera.url());
    options.login = {.user = c.door.user, .password = c.door.password};
    CameraWatch watch(options, clock_);
    EXPECT_TRUE(watch.Streams()) << c.scheme << ": " << watch.status().problem;
    EXPECT_EQ(door.scheme(), c.scheme);
    EXPECT_EQ(door.refused(), 0);
  }
}

TEST_F(FieldLogin, AsksWithoutALoginFirstAndSendsNoneThatNobodyAskedFor) {
  RtspCamera camera(film_, RtspBehavior{});
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  ASSERT_TRUE(watch.Streams());
  for (const RtspRequest& request : camera.requests()) {
    EXPECT_FALSE(request.headers.contains("authorization"));
    EXPECT_THAT(request.url, Not(HasSubstr("secret")));
    EXPECT_THAT(request.url, Not(HasSubstr("admin")));
  }
}

TEST_F(FieldLogin, TriesAWrongPasswordOnceAndThenAfterMinutesOnly) {
  const CameraDoor door({.schemes = {"MD5", "SHA-256"}});
  CameraStatus status;
  EXPECT_THAT(MinutesOfTries(door, kWrongPassword, 7, &status),
              ElementsAre(0, 5, 15, 35, 75, 135, 195));
  EXPECT_EQ(status.state, CameraState::kReconnecting);
  EXPECT_THAT(status.problem, HasSubstr("login refused: correct user or password"));
  EXPECT_THAT(status.problem, Not(HasSubstr("wrong")));
  EXPECT_THAT(status.problem, Not(HasSubstr("admin")));
}

TEST_F(FieldLogin, SaysThatALoginIsAskedForWhereNoneIsGiven) {
  const CameraDoor door({.schemes = {"SHA-256"}});
  RtspCamera camera(film_, RtspBehavior{.door = door});
  CameraOptions options = LiveOptions(camera.url());
  options.login = {};
  CameraWatch watch(options, clock_);
  ASSERT_TRUE(watch.Waits());
  EXPECT_THAT(watch.status().problem,
              HasSubstr("login refused: it asks for one and none is given; set user and "
                        "password_file"));
  EXPECT_EQ(door.refused(), 0);
  EXPECT_EQ(camera.connections(), 1);
}

TEST_F(FieldLogin, WaitsAsLongWhereTheLoginIsMissingOrOfAnUnknownKindOrForbidden) {
  CameraStatus status;
  EXPECT_THAT(MinutesOfTries(CameraDoor({.schemes = {"SHA-256"}}), {}, 3, &status),
              ElementsAre(0, 5, 15));
  EXPECT_THAT(status.problem, HasSubstr("none is given"));
  const auto always = [](const char* status_line, const char* headers) {
    return [=](const RtspRequest&) {
      return std::optional(RtspBehavior::Answer{status_line, headers});
    };
  };
  EXPECT_THAT(MinutesOfTries(always("403 Forbidden", ""), {}, 3, &status), ElementsAre(0, 5, 15));
  EXPECT_THAT(status.problem, HasSubstr("403 Forbidden"));
  RtspCamera camera(film_, RtspBehavior{.door = always("401 No", "WWW-Authenticate: Bearer\r\n")});
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  ASSERT_TRUE(watch.Waits());
  EXPECT_THAT(watch.status().problem, HasSubstr("of a kind that is not known here"));
}

TEST_F(FieldLogin, TakesACorrectedPasswordFileAtOnce) {
  const CameraDoor door({.schemes = {"SHA-256"}});
  RtspCamera camera(film_, RtspBehavior{.door = door});
  CameraOptions options = LiveOptions(camera.url());
  options.login = {.user = "admin", .password_file = WriteFile("password", "wrong\n")};
  chmod(options.login.password_file.c_str(), 0600);
  CameraWatch watch(options, clock_);
  ASSERT_TRUE(watch.Waits());
  WriteFile("password", "secret\n");
  clock_.Advance(5 * kS);
  EXPECT_TRUE(watch.Streams()) << watch.status().problem;
  EXPECT_EQ(door.refused(), 1);
}

TEST_F(FieldLogin, TriesAWrongPasswordOnceForAllChannelsOfARecorder) {
  const CameraDoor door({.schemes = {"MD5"}});
  RtspCamera recorder(film_, RtspBehavior{.door = door});
  LoginGuard guard(clock_);
  CameraOptions options = LiveOptions(recorder.url());
  options.login.password = "wrong";
  std::vector<std::unique_ptr<CameraWatch>> channels;
  for (int i = 0; i < 8; ++i) {
    channels.push_back(std::make_unique<CameraWatch>(options, clock_, &guard));
  }
  for (const auto& channel : channels) {
    ASSERT_TRUE(channel->Waits());
    EXPECT_THAT(channel->status().problem, HasSubstr("login refused"));
  }
  EXPECT_EQ(door.refused(), 1);
  clock_.Advance(5 * kMinute - 1);
  for (const auto& channel : channels) {
    EXPECT_EQ(channel->status().state, CameraState::kReconnecting);
  }
  EXPECT_EQ(door.refused(), 1);
}

TEST_F(FieldLogin, LetsAllChannelsInWhereThePasswordIsRight) {
  const CameraDoor door({.schemes = {"SHA-256"}});
  RtspCamera recorder(film_, RtspBehavior{.door = door});
  LoginGuard guard(clock_);
  std::vector<std::unique_ptr<CameraWatch>> channels;
  for (int i = 0; i < 8; ++i) {
    channels.push_back(std::make_unique<CameraWatch>(LiveOptions(recorder.url()), clock_, &guard));
  }
  for (const auto& channel : channels) EXPECT_TRUE(channel->Streams());
  EXPECT_EQ(door.refused(), 0);
}

TEST_F(FieldLogin, RenewsANonceThatIsTooOldWithoutCountingItAsARefusal) {
  for (const bool tells : {true, false}) {
    const CameraDoor door({.schemes = {"SHA-256"}, .nonce_lasts = 1, .tells_stale = tells});
    RtspCamera camera(film_, RtspBehavior{.door = door});
    CameraWatch watch(LiveOptions(camera.url()), clock_);
    EXPECT_TRUE(watch.Streams()) << watch.status().problem;
    EXPECT_EQ(door.refused(), 0);
  }
}

TEST_F(FieldLogin, TakesACameraThatHangsUpOnALoginForOneThatRefusesIt) {
  CameraStatus status;
  EXPECT_THAT(MinutesOfTries(CameraDoor({.schemes = {"MD5"}, .hangs_up = true}), kWrongPassword, 3,
                             &status),
              ElementsAre(0, 5, 15));
  EXPECT_THAT(status.problem, HasSubstr("login refused: it was given no answer"));
}

TEST_F(FieldLogin, StopsAskingAtOnceWhenThePasswordChangesWhileItWatches) {
  const CameraDoor door({.schemes = {"SHA-256"}});
  RtspCamera camera(film_, RtspBehavior{.door = door});
  CameraOptions options = LiveOptions(camera.url());
  options.stall_timeout_ns = 600 * kS;
  CameraWatch watch(options, clock_);
  ASSERT_TRUE(watch.Streams());
  door.SetPassword("another");
  clock_.Advance(31 * kS);  // a keep-alive is due
  ASSERT_TRUE(watch.Waits());
  EXPECT_THAT(watch.status().problem, HasSubstr("login refused"));
  EXPECT_TRUE(Eventually([&] { return camera.requests().back().method == "TEARDOWN"; }));
  EXPECT_EQ(door.refused(), 1) << "not even to say goodbye";
}

TEST_F(FieldLogin, GivesThePasswordToNoOtherHostThatACameraSendsItTo) {
  const CameraDoor strange({.schemes = {"Basic"}});
  RtspCamera other(film_, RtspBehavior{.door = strange});
  RtspCamera camera(film_, RtspBehavior{.door = [&](const RtspRequest& request) {
                      std::optional<RtspBehavior::Answer> answer;
                      if (request.method == "DESCRIBE") {
                        answer = {"302 Found", fmt::format("Location: rtsp://localhost:{}/live\r\n",
                                                           other.port())};
                      }
                      return answer;
                    }});
  CameraWatch watch(LiveOptions(camera.url()), clock_);
  ASSERT_TRUE(watch.Waits());
  EXPECT_THAT(watch.status().problem, HasSubstr("none is given"));
  for (const RtspRequest& request : other.requests()) {
    EXPECT_FALSE(request.headers.contains("authorization"));
  }
}

}  // namespace
}  // namespace gleaner::edge

// Requests to a camera and its answers, over one connection, logged in where the camera asks for
// it.
//
// The login is ours and not FFmpeg's: its RTSP client knows MD5 alone, answers a wrong password
// with another try, and logs URLs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/camera_address.h"
#include "edge/camera/camera_login.h"
#include "edge/camera/login_guard.h"
#include "edge/camera/rtsp_auth.h"
#include "edge/camera/rtsp_connection.h"
#include "edge/camera/rtsp_message.h"

namespace gleaner::edge {

using RtspHeaders = std::vector<std::pair<std::string, std::string>>;

// Not thread-safe. Errors name the camera as it may be shown, and nothing that it wrote itself.
// PERMISSION_DENIED: it refused the login, or refuses everybody; `guard` says for how long to leave
// it alone.
class RtspDialogue {
 public:
  // Connects. `guard` must outlive the dialogue; `interrupted` ends every wait.
  static absl::StatusOr<std::unique_ptr<RtspDialogue>> Open(CameraAddress address,
                                                            Credentials credentials,
                                                            LoginGuard& guard,
                                                            std::function<bool()> interrupted);

  // Sends a request and waits for its answer, whatever its status is but 401 and 403. The bodies of
  // packets that come in between are kept for Next(), up to a bound.
  absl::StatusOr<RtspMessage> Ask(std::string_view method, const std::string& uri,
                                  const RtspHeaders& headers);
  // Sends a request whose answer comes by Next().
  absl::Status Send(std::string_view method, const std::string& uri, const RtspHeaders& headers);
  // Takes a 401 that came by Next(). OK: the camera only wants another nonce; send again.
  absl::Status Relogin(const RtspMessage& refusal);
  // Answers a request of the camera's.
  void Answer(const RtspMessage& request, int code, std::string_view reason);
  // A farewell, or a packet on an interleaved channel: sent if there is room.
  void SendIfRoom(std::string_view method, const std::string& uri, const RtspHeaders& headers);
  void SendData(uint8_t channel, std::string_view bytes);

  // The next message or packet; monostate when nothing came within a moment, or something on one of
  // `others` did.
  absl::StatusOr<std::variant<std::monostate, RtspMessage, RtspData>> Next(
      std::span<const int> others = {});

  const CameraAddress& address() const { return address_; }
  const RtspConnection& connection() const { return *connection_; }
  // How the camera has taken the login; null where it never asked for one.
  std::optional<LoginScheme> login() const {
    return logged_in_ && challenge_ ? std::optional(challenge_->scheme) : std::nullopt;
  }
  absl::Status Annotated(const absl::Status& status) const;

 private:
  using Item = std::variant<std::monostate, RtspMessage, RtspData>;

  RtspDialogue(CameraAddress address, Credentials credentials, LoginGuard& guard,
               std::function<bool()> interrupted, std::unique_ptr<RtspConnection> connection)
      : address_(std::move(address)),
        credentials_(std::move(credentials)),
        guard_(guard),
        interrupted_(std::move(interrupted)),
        connection_(std::move(connection)) {}

  std::string Format(std::string_view method, const std::string& uri, const RtspHeaders& headers);
  absl::StatusOr<RtspMessage> AwaitAnswer();
  absl::StatusOr<Item> Read(std::span<const int> others);
  // Chooses the answer to a 401, or says why there is none.
  absl::Status TakeChallenge(const RtspMessage& refusal);
  absl::Status Refuse(std::string_view why);
  // What the camera said to a request with a login in it, or that it said nothing: an error where
  // that is a refusal.
  absl::Status NoteAnswer(const absl::StatusOr<RtspMessage>& answer);

  const CameraAddress address_;
  const Credentials credentials_;
  LoginGuard& guard_;
  const std::function<bool()> interrupted_;
  const std::unique_ptr<RtspConnection> connection_;
  RtspReader reader_;
  std::deque<std::pair<uint8_t, std::string>> early_;  // packets before an answer
  std::string shown_early_;                            // the one that Next() gave last
  size_t early_bytes_ = 0;
  uint32_t sequence_ = 0;                    // CSeq of the last request
  std::optional<LoginChallenge> challenge_;  // null: the camera has asked for no login yet
  uint32_t nonce_count_ = 0;
  bool trying_ = false;  // guard_ waits to hear of this login
  bool logged_in_ = false;
};

}  // namespace gleaner::edge

#include "edge/camera/rtsp_dialogue.h"

#include "absl/strings/numbers.h"
#include "common/status.h"
#include "common/version.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kMaxEarlyBytes = 8 << 20;
constexpr int kMaxChallenges = 3;  // of one request: the camera may want another nonce

bool IsRefusal(int code) { return code == 401 || code == 403; }

}  // namespace

absl::StatusOr<std::unique_ptr<RtspDialogue>> RtspDialogue::Open(
    CameraAddress address, Credentials credentials, LoginGuard& guard,
    std::function<bool()> interrupted) {
  auto connection =
      RtspConnection::Open(address.host(), address.port(), address.tls(), interrupted);
  if (!connection.ok()) return Annotate(connection.status(), address.shown());
  return std::unique_ptr<RtspDialogue>(new RtspDialogue(std::move(address), std::move(credentials),
                                                        guard, std::move(interrupted),
                                                        *std::move(connection)));
}

absl::Status RtspDialogue::Annotated(const absl::Status& status) const {
  return Annotate(status, address_.shown());
}

std::string RtspDialogue::Format(std::string_view method, const std::string& uri,
                                 const RtspHeaders& headers) {
  std::string request = fmt::format("{} {} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: Gleaner/{}\r\n",
                                    method, uri, ++sequence_, Version());
  if (challenge_) {
    request += fmt::format(
        "Authorization: {}\r\n",
        Authorization(*challenge_, credentials_, method, uri, ++nonce_count_, NewCnonce()));
  }
  for (const auto& [name, value] : headers) request += fmt::format("{}: {}\r\n", name, value);
  return request + "\r\n";
}

absl::StatusOr<RtspMessage> RtspDialogue::Ask(std::string_view method, const std::string& uri,
                                              const RtspHeaders& headers) {
  for (int challenges = 0;; ++challenges) {
    const bool with_login = challenge_.has_value();
    const absl::Status sent = connection_->Write(Format(method, uri, headers));
    auto answer = sent.ok() ? AwaitAnswer() : absl::StatusOr<RtspMessage>(sent);
    if (with_login) RETURN_IF_ERROR(NoteAnswer(answer));
    if (!answer.ok()) return Annotated(answer.status());
    if (!IsRefusal(answer->code)) return answer;
    if (challenges == kMaxChallenges) return Refuse("it asks for the login again and again");
    RETURN_IF_ERROR(TakeChallenge(*answer));
  }
}

absl::Status RtspDialogue::NoteAnswer(const absl::StatusOr<RtspMessage>& answer) {
  if (answer.ok() && IsRefusal(answer->code)) return absl::OkStatus();
  const bool tried = std::exchange(trying_, false);
  if (answer.ok()) {
    if (!logged_in_) guard_.Accepted(address_.host(), credentials_);
    logged_in_ = true;
  } else if (tried) {
    guard_.NoAnswer(address_.host(), credentials_);
    if (guard_.WaitNs(address_.host(), credentials_) > 0) {
      return Annotated(absl::PermissionDeniedError(
          "login refused: it was given no answer; correct user or password"));
    }
  }
  return absl::OkStatus();
}

absl::Status RtspDialogue::TakeChallenge(const RtspMessage& refusal) {
  std::optional<LoginChallenge> next = StrongestChallenge(refusal.Headers("www-authenticate"));
  if (refusal.code == 403) {
    return Refuse(
        "it refuses this device or its user (403 Forbidden): look for its list of allowed "
        "addresses and at the rights of the user");
  }
  if (!credentials_.given()) {
    return Refuse("login refused: it asks for one and none is given; set user and password_file");
  }
  if (challenge_) {
    // Not the password's fault if the nonce alone was too old.
    const bool renewed = next && (next->stale || (logged_in_ && next->nonce != challenge_->nonce));
    if (!renewed) return Refuse(kLoginRefused);
    logged_in_ = false;  // once is enough
  } else if (!next) {
    return Refuse(
        "login refused: it asks for one of a kind that is not known here (known are "
        "Basic, and Digest with MD5, SHA-256 or SHA-512-256)");
  } else {
    if (absl::Status may = guard_.Begin(address_.host(), credentials_, interrupted_); !may.ok()) {
      return Annotated(may);
    }
    trying_ = true;
  }
  challenge_ = std::move(next);
  nonce_count_ = 0;
  return absl::OkStatus();
}

absl::Status RtspDialogue::Refuse(std::string_view why) {
  guard_.Refused(address_.host(), credentials_);
  trying_ = logged_in_ = false;
  challenge_.reset();  // not even a farewell tries it again
  return Annotated(absl::PermissionDeniedError({why.data(), why.size()}));
}

absl::Status RtspDialogue::Relogin(const RtspMessage& refusal) { return TakeChallenge(refusal); }

absl::StatusOr<RtspMessage> RtspDialogue::AwaitAnswer() {
  for (;;) {
    ASSIGN_OR_RETURN(Item item, Read({}));
    if (const auto* data = std::get_if<RtspData>(&item)) {
      early_bytes_ += data->bytes.size();
      if (early_bytes_ > kMaxEarlyBytes) return absl::DataLossError("sends video but no answer");
      early_.emplace_back(data->channel, std::string(data->bytes));
    } else if (auto* message = std::get_if<RtspMessage>(&item)) {
      if (message->code == 0) {
        Answer(*message, 501, "Not Implemented");
        continue;
      }
      uint32_t sequence = 0;
      const std::string_view number = message->Header("cseq");
      // An answer without a number is taken for ours; one with an older number is of a request that
      // nobody waits for any more.
      if (absl::SimpleAtoi({number.data(), number.size()}, &sequence) && sequence != sequence_) {
        continue;
      }
      if (message->code >= 200) return std::move(*message);
    }
  }
}

absl::StatusOr<RtspDialogue::Item> RtspDialogue::Read(std::span<const int> others) {
  ASSIGN_OR_RETURN(Item item, reader_.Next());
  if (!std::holds_alternative<std::monostate>(item)) return item;
  ASSIGN_OR_RETURN(const size_t size,
                   connection_->Read(reader_.Space(kReadBytes), kReadBytes, others));
  reader_.Received(size);
  return reader_.Next();
}

absl::StatusOr<RtspDialogue::Item> RtspDialogue::Next(std::span<const int> others) {
  if (!early_.empty()) {
    const uint8_t channel = early_.front().first;
    shown_early_ = std::move(early_.front().second);
    early_.pop_front();
    return Item(RtspData{channel, shown_early_});
  }
  auto item = Read(others);
  if (!item.ok()) return Annotated(item.status());
  const auto* message = std::get_if<RtspMessage>(&*item);
  if (message != nullptr && message->code > 0 && challenge_) {
    logged_in_ = logged_in_ || !IsRefusal(message->code);
  }
  return item;
}

absl::Status RtspDialogue::Send(std::string_view method, const std::string& uri,
                                const RtspHeaders& headers) {
  if (absl::Status sent = connection_->Write(Format(method, uri, headers)); !sent.ok()) {
    return Annotated(sent);
  }
  return absl::OkStatus();
}

void RtspDialogue::SendIfRoom(std::string_view method, const std::string& uri,
                              const RtspHeaders& headers) {
  connection_->WriteIfRoom(Format(method, uri, headers));
}

void RtspDialogue::SendData(uint8_t channel, std::string_view bytes) {
  std::string frame = {'$', static_cast<char>(channel), static_cast<char>(bytes.size() >> 8),
                       static_cast<char>(bytes.size())};
  connection_->WriteIfRoom(frame.append(bytes));
}

void RtspDialogue::Answer(const RtspMessage& request, int code, std::string_view reason) {
  connection_->WriteIfRoom(
      fmt::format("RTSP/1.0 {} {}\r\nCSeq: {}\r\n\r\n", code, reason, request.Header("cseq")));
}

}  // namespace gleaner::edge

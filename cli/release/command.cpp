#include "cli/release/command.h"

namespace gleaner::cli {

ReleaseCommand::ReleaseCommand(CLI::App& app, bool& json, const std::string& ca)
    : json_(json), ca_(ca) {
  release_ = app.add_subcommand("release", "Sign what devices run, and check what was signed");
  release_->require_subcommand(1);
  const auto command = [&](const char* name, const char* help) {
    CLI::App* sub = release_->add_subcommand(name, help);
    sub->add_flag("--json", json_, "Print JSON, in the API's own style");
    return sub;
  };
  const auto in_repository = [&](const char* name, const char* help) {
    CLI::App* sub = command(name, help);
    sub->add_option("DIR", repository_, "The repository's folder")->required();
    return sub;
  };

  keygen_ = command("keygen", "Make key pairs: FILE for its owner alone, FILE.pub for everyone");
  keygen_->add_option("FILE", files_, "The private key's file; several may be given")->required();

  const auto root_options = [&](CLI::App* sub, const char* key_help) {
    sub->add_option("--key", draft_.keys, key_help);
    sub->add_option("--threshold", draft_.thresholds,
                    "ROLE=N: so many of the role's keys have to sign; may be repeated");
    sub->add_option("--days", draft_.days, "When the root expires")->capture_default_str();
  };
  init_ = in_repository("init", "Make a repository, with drafts of its first root and targets");
  root_options(init_, "ROLE=FILE.pub: a key of root, targets, snapshot or timestamp; repeated");
  rotate_ =
      in_repository("rotate", "Draft the next root: new keys, other thresholds, later expiry");
  root_options(rotate_, "ROLE=FILE.pub: a key that the role gets; may be repeated");
  rotate_->add_option("--retire", draft_.retire,
                      "ROLE=ID: a key that the role loses, by its id or how that begins; may be "
                      "repeated");

  add_ = in_repository("add", "Draft targets that have these files, or only expire later");
  add_->add_option("FILE", targets_.files, "What is released; several may be given");
  add_->add_option("--as", targets_.path, "The path that clients know a single file by");
  add_->add_option("--custom", targets_.custom, "What it says of itself: a JSON object");
  add_->add_option("--days", targets_.days, "When the targets expire")->capture_default_str();

  remove_ = in_repository("remove", "Draft targets that don't have these paths");
  remove_->add_option("PATH", files_, "What is released no longer; several may be given")
      ->required();

  sign_ = in_repository("sign", "Sign the drafts that have a use for these keys");
  sign_->add_option("--key", files_, "A private key's file; may be repeated")->required();

  discard_ = in_repository("discard", "Withdraw a draft; what is published stands");
  discard_->add_option("ROLE", role_, "Whose draft: root or targets")->required();

  refresh_ =
      in_repository("refresh", "Publish what is signed, and make a new snapshot and timestamp");
  refresh_->add_option("--key", online_.keys, "A private key's file; may be repeated")->required();
  refresh_->add_option("--timestamp-hours", online_.timestamp_hours, "When the timestamp expires")
      ->capture_default_str();
  refresh_->add_option("--snapshot-days", online_.snapshot_days, "When the snapshot expires")
      ->capture_default_str();

  verify_ =
      command("verify", "Take a repository as a device does, with every byte of every target");
  verify_->add_option("REPOSITORY", repository_, "Its folder, or the address it is served at")
      ->required();
  verify_->add_option("--root", check_.root, "The root to trust, instead of the folder's first");
  verify_->add_option("--state", check_.state,
                      "A file that keeps what was seen, so that the next time refuses a rollback");

  show_ = in_repository("show",
                        "What is published, and what the drafts change: keys, files, who signed");
}

absl::Status ReleaseCommand::Run() {
  const Clock& clock = RealClock();
  draft_.repository = targets_.repository = online_.repository = check_.repository = repository_;
  draft_.json = targets_.json = online_.json = check_.json = json_;
  check_.ca = ca_;
  if (keygen_->parsed()) return GenerateKeys(files_, json_);
  if (init_->parsed()) return InitRepository(draft_, clock);
  if (rotate_->parsed()) return RotateRoot(draft_, clock);
  if (add_->parsed()) return AddTargets(targets_, clock);
  if (remove_->parsed()) return RemoveTargets(repository_, files_, json_);
  if (sign_->parsed()) return SignDrafts(repository_, files_, json_);
  if (discard_->parsed()) return DiscardDraft(repository_, role_, json_);
  if (refresh_->parsed()) return RefreshRepository(online_, clock);
  if (verify_->parsed()) return VerifyRepository(check_, clock);
  return ShowRepository(repository_, json_);
}

}  // namespace gleaner::cli

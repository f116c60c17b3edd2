#include "cloud/store/s3/store_config.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/file.h"
#include "common/status.h"

namespace gleaner::cloud {
namespace {

constexpr size_t kMaxSecretBytes = 1024;
constexpr size_t kMaxPrefixBytes = 200;
constexpr std::string_view kLowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kLetters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool HasOnly(std::string_view text, std::string_view letters, std::string_view more) {
  return text.find_first_not_of(std::string(letters) + std::string(more)) == std::string_view::npos;
}

void CheckEndpoint(ConfigReader& store, const std::string& endpoint) {
  if (endpoint.empty()) return;  // noted already
  const bool plain = endpoint.starts_with("http://");
  if (!plain && !endpoint.starts_with("https://")) {
    return store.Error("endpoint", "must begin with https:// (or http://)");
  }
  const std::string host = endpoint.substr(plain ? 7 : 8);
  if (host.empty() || !HasOnly(host, kLetters, ".-:[]")) {
    return store.Error("endpoint",
                       "must be a scheme, a host and perhaps a port, and no more: "
                       "\"https://s3.eu-central-1.amazonaws.com\"");
  }
  if (!plain) return;
  const bool near =
      host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
  if (!near) store.Warn("endpoint", "clips cross the network in the clear: use https://");
}

void CheckNames(ConfigReader& store, const s3::BucketOptions& bucket) {
  const std::string& name = bucket.bucket;
  if (!name.empty() && (name.size() < 3 || name.size() > 63 ||
                        !HasOnly(name, kLowerAndDigits, ".-") || name.front() == '-')) {
    store.Error("bucket", "a bucket's name is 3 to 63 of a-z, 0-9, - and .");
  }
  if (!bucket.path_style && bucket.endpoint.starts_with("https://") &&
      name.find('.') != std::string::npos) {
    store.Warn("bucket", "a name with dots isn't covered by most certificates: use path_style");
  }
  if (bucket.region.empty() || !HasOnly(bucket.region, kLowerAndDigits, "-")) {
    store.Error("region", "is of a-z, 0-9 and -");
  }
  const std::string& prefix = bucket.prefix;
  if (prefix.size() > kMaxPrefixBytes || !HasOnly(prefix, kLetters, "._-/") ||
      prefix.starts_with('/') || prefix.ends_with('/') || prefix.find("//") != std::string::npos ||
      prefix.find("..") != std::string::npos) {
    store.Error("prefix",
                "is of letters, digits, \".\", \"_\", \"-\" and single slashes between "
                "them, at most 200");
  }
}

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

s3::Credentials ReadCredentials(ConfigReader& store) {
  s3::Credentials credentials{.access_key = store.String("access_key", ""),
                              .secret_key = store.String("secret_key", "")};
  std::string_view key = "secret_key";
  if (const std::string file = store.Path("secret_key_file", ""); !file.empty()) {
    key = "secret_key_file";
    if (!credentials.secret_key.empty()) {
      store.Error(key, "secret_key is set as well; only one of the two");
    }
    auto text = ReadSecret(file, kMaxSecretBytes);
    if (!text.ok()) {
      store.Error(key, Message(text.status()));
      return credentials;
    }
    credentials.secret_key = *std::move(text);
    while (!credentials.secret_key.empty() && credentials.secret_key.back() <= ' ') {
      credentials.secret_key.pop_back();
    }
    if (credentials.secret_key.empty()) store.Error(key, fmt::format("{} is empty", file));
  }
  if (credentials.access_key.empty() && credentials.secret_key.empty()) {
    credentials = {.access_key = FromEnvironment("AWS_ACCESS_KEY_ID"),
                   .secret_key = FromEnvironment("AWS_SECRET_ACCESS_KEY")};
    key = "access_key";
  }
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    store.Error(key,
                "access_key and secret_key_file must both be given, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
  } else if (!HasOnly(credentials.access_key, kLetters, "._-+=@")) {
    store.Error("access_key", "has letters that no access key has");
  }
  return credentials;
}

}  // namespace

StoreConfig ReadStoreConfig(ConfigReader store) {
  StoreConfig config;
  const std::string kind = store.String("kind", "files");
  if (kind != "files" && kind != "s3") store.Error("kind", "must be \"files\" or \"s3\"");
  config.in_bucket = kind == "s3";
  if (!config.in_bucket) {
    constexpr std::array kKeys = {"endpoint",   "bucket",         "region",     "prefix",
                                  "path_style", "ca_file",        "access_key", "secret_key",
                                  "presign",    "secret_key_file"};
    for (const char* key : kKeys) {
      if (!store.Has(key)) continue;
      store.Error(key, "is for kind = \"s3\"");
      (void)store.Has(key);
    }
    return config;
  }
  s3::BucketOptions& bucket = config.bucket;
  bucket.endpoint = store.RequiredString("endpoint");
  bucket.bucket = store.RequiredString("bucket");
  bucket.region = store.String("region", bucket.region);
  bucket.prefix = store.String("prefix", "");
  bucket.path_style = store.Bool("path_style", bucket.path_style);
  CheckEndpoint(store, bucket.endpoint);
  CheckNames(store, bucket);
  if (const std::string ca = store.Path("ca_file", ""); !ca.empty()) {
    (void)store.CheckFile("ca_file", ca);
    bucket.ca_file = ca;
  }
  bucket.credentials = ReadCredentials(store);
  config.presign = store.Bool("presign", false);
  return config;
}

}  // namespace gleaner::cloud

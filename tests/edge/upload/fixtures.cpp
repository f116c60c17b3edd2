#include "tests/edge/upload/fixtures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>

#include "gleaner/v1/clip.pb.h"

namespace gleaner::edge {
namespace {

void Require(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

void Shell(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "gleaner-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::unique_ptr<Spool> OpenSpool(const std::string& directory, Clock& clock, uint64_t quota_bytes) {
  SpoolOptions options;
  options.directory = directory;
  options.quota_bytes = quota_bytes;
  absl::StatusOr<std::unique_ptr<Spool>> spool = Spool::Open(options, clock, "test-boot");
  Require(spool.status());
  return *std::move(spool);
}

ClipKey AddClip(Spool& spool, const std::vector<uint64_t>& sizes, uint64_t seed,
                uint32_t priority) {
  const absl::StatusOr<ClipKey> key = spool.TakeNumber("test-rule", priority);
  Require(key.status());
  absl::StatusOr<std::unique_ptr<ClipWriter>> writer = spool.NewClip(*key);
  Require(writer.status());

  v1::ClipManifest manifest;
  manifest.set_device("test-device");
  manifest.mutable_key()->set_boot_id(std::string(AsBytes(key->boot_id)));
  manifest.mutable_key()->set_sequence(key->sequence);
  manifest.mutable_trigger()->set_rule("test-rule");
  manifest.mutable_trigger()->set_priority(priority);
  std::mt19937_64 random(seed);
  std::vector<std::unique_ptr<ObjectWriter>> objects;
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::string bytes(sizes[i], '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::unique_ptr<ObjectWriter> object = (*writer)->NewObject();
    Require(object->Append({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}));
    Require(object->Finish());
    v1::ClipObject* entry = manifest.add_objects();
    entry->set_kind(i + 1 == sizes.size() ? v1::ClipObject::KIND_VIDEO
                                          : v1::ClipObject::KIND_PREVIEW);
    entry->set_content_type("application/octet-stream");
    entry->set_size_bytes(object->size_bytes());
    entry->set_sha256(std::string(AsBytes(object->sha256())));
    for (const uint64_t digest : object->block_xxh3()) entry->add_block_xxh3(digest);
    objects.push_back(std::move(object));
  }
  Require((*writer)->Commit(manifest.SerializeAsString(), std::move(objects)));
  return *key;
}

std::unique_ptr<Link> PlainLink(const std::string& address, Clock& clock) {
  LinkOptions options;
  options.server = address;
  options.plaintext = true;
  options.device = "test-device";
  absl::StatusOr<std::unique_ptr<Link>> link = Link::Open(options, clock);
  Require(link.status());
  return *std::move(link);
}

TestAuthority::TestAuthority() {
  Shell(fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "
      "-subj '/CN=Test authority' -keyout {} -out {} 2>/dev/null",
      path("ca.key"), path("ca.pem")));
  Issue("localhost");
}

void TestAuthority::Issue(const std::string& name) {
  Shell(fmt::format(
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN={0}' "
      "-addext 'subjectAltName=DNS:{0}' -keyout {1}.key -out {1}.csr 2>/dev/null && "
      "openssl x509 -req -in {1}.csr -CA {2} -CAkey {3} -copy_extensions copy -days 30 "
      "-out {1}.pem 2>/dev/null",
      name, path(name), path("ca.pem"), path("ca.key")));
}

LinkOptions TestAuthority::Options(const std::string& address, const std::string& name) const {
  LinkOptions options;
  options.server = address;
  options.ca = path("ca.pem");
  options.certificate = path(name + ".pem");
  options.key = path(name + ".key");
  options.server_name = "localhost";
  return options;
}

}  // namespace gleaner::edge

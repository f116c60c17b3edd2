#include "cloud/access/secret.h"

#include <openssl/rand.h>

#include <stdexcept>

#include "cloud/database/columns.h"
#include "common/digest.h"

namespace gleaner::cloud {

std::string NewSecret() {
  std::string bytes(32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    throw std::runtime_error("the system has no random numbers");
  }
  return Hex(bytes);
}

std::string HashOf(std::string_view secret) { return HexOf(Sha256::Of(secret)); }

}  // namespace gleaner::cloud

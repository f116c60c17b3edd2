// Who asks a camera for its video: a user and a password, and where the configuration keeps them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config.h"
#include "edge/camera/camera_address.h"

namespace gleaner::edge {

struct Credentials {
  std::string user;
  std::string password;

  bool given() const { return !user.empty() || !password.empty(); }
};

// Where they are. At most one of the passwords' three places is set.
struct CameraLogin {
  std::string user;
  std::string password;
  std::string password_file;  // its first line, without what ends it
  std::string password_env;   // the name of an environment variable

  bool given() const { return !user.empty(); }
  // Reads the file or the environment, each time anew: a password that is changed there counts from
  // the next login on. Errors name the place, never what is in it.
  absl::StatusOr<Credentials> Load() const;

  // Reads the keys user, password, password_file and password_env of a [[camera]] table, or takes
  // what `address` has in front of its host; mistakes are noted in `reader`, a login in both places
  // among them. `try_it`: that the password can't be loaded is a mistake as well.
  static CameraLogin Read(ConfigReader& reader, const CameraAddress& address, bool try_it);
};

}  // namespace gleaner::edge

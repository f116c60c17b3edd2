#include "tests/bench/curation/fashion.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <zlib.h>

#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

namespace gleaner::bench {

const char* const kClassNames[kClasses] = {"t-shirt", "trouser", "pullover", "dress", "coat",
                                           "sandal",  "shirt",   "sneaker",  "bag",   "boot"};

namespace {

const std::map<std::string, std::string>& Digests() {
  static const std::map<std::string, std::string> digests = {
      {"train-images-idx3-ubyte.gz",
       "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"},
      {"train-labels-idx1-ubyte.gz",
       "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"},
      {"t10k-images-idx3-ubyte.gz",
       "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa"},
      {"t10k-labels-idx1-ubyte.gz",
       "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"}};
  return digests;
}

std::string Sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string Load(const std::string& name, size_t size) {
  const std::string path = "/usr/share/datasets/fashion-mnist/" + name;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("no " + path + ": install the package dataset-fashion-mnist");
  }
  const std::string packed{std::istreambuf_iterator<char>(file), {}};
  if (Sha256(packed) != Digests().at(name)) {
    throw std::runtime_error(path + " is not the file that it is known as: its SHA-256 is " +
                             Sha256(packed));
  }
  std::string bytes(size, '\0');
  z_stream stream = {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  inflateInit2(&stream, 16 + MAX_WBITS);
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  if (result != Z_STREAM_END || stream.avail_out != 0) {
    throw std::runtime_error(path + " doesn't unpack");
  }
  return bytes;
}

}  // namespace

Pictures LoadFashion(const std::string& part) {
  const size_t count = part == "train" ? 60'000 : 10'000;
  const std::string images = Load(part + "-images-idx3-ubyte.gz", 16 + count * kPixels);
  const std::string labels = Load(part + "-labels-idx1-ubyte.gz", 8 + count);
  Pictures pictures;
  pictures.pixels.reserve(count * kPixels);
  for (size_t i = 16; i < images.size(); ++i) {
    pictures.pixels.push_back(static_cast<float>(static_cast<unsigned char>(images[i])) / 255);
  }
  pictures.labels.assign(labels.begin() + 8, labels.end());
  return pictures;
}

}  // namespace gleaner::bench

// A certificate authority for tests: made anew in each, with OpenSSL's own functions, on P-256.
//
//   TestPki pki;
//   TestPki::Identity server = pki.Server();            // CN "localhost", SAN localhost, 127.0.0.1
//   TestPki::Identity device = pki.Device("cart-1");    // CN "cart-1"
//   pki.Write(directory);                               // ca.pem, server.pem, server.key
//
// Header only; link OpenSSL::Crypto. A mistake throws std::runtime_error, which ends the test.
#pragma once

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace gleaner {

class TestPki {
 public:
  // PEM texts.
  struct Identity {
    std::string certificate;
    std::string key;
  };

  explicit TestPki(const std::string& name = "gleaner-test-ca") : ca_key_(NewKey()) {
    ca_ = NewCertificate({name}, ca_key_.get());
    Extend(ca_.get(), NID_basic_constraints, "critical,CA:TRUE");
    Extend(ca_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    Sign(ca_.get());
  }

  // What both sides trust.
  std::string ca() const { return CertificatePem(ca_.get()); }

  Identity Server() { return Issue({"localhost"}, "serverAuth", "DNS:localhost,IP:127.0.0.1", 0); }
  // Any text may be the CN, also one that is no device name.
  Identity Device(const std::string& name) { return Issue({name}, "clientAuth", "", 0); }
  // With these common names, one after the other, whatever bytes they hold and however many there
  // are, and with `alternative` names, as OpenSSL writes them.
  Identity OddDevice(const std::vector<std::string>& names, const std::string& alternative = "") {
    return Issue(names, "clientAuth", alternative, 0);
  }
  // One that ended an hour ago.
  Identity ExpiredDevice(const std::string& name) {
    return Issue({name}, "clientAuth", "", -2 * 3600);
  }

  // ca.pem, server.pem, server.key.
  void Write(const std::string& directory) {
    WriteText(directory + "/ca.pem", ca());
    Write(directory, "server", Server());
  }
  // {name}.pem, {name}.key.
  void Write(const std::string& directory, const std::string& name, const Identity& identity) {
    WriteText(directory + "/" + name + ".pem", identity.certificate);
    WriteText(directory + "/" + name + ".key", identity.key);
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

  static void Check(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("test certificates: ") + what);
  }

  static void WriteText(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    Check(out.good(), path.c_str());
    // Keys are read by their owner only, or not at all.
    Check(::chmod(path.c_str(), 0600) == 0, path.c_str());
  }

  static Key NewKey() {
    Key key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    Check(key != nullptr, "key");
    return key;
  }

  Certificate NewCertificate(const std::vector<std::string>& names, EVP_PKEY* key,
                             int64_t shift_s = 0) {
    Certificate made(X509_new(), &X509_free);
    X509* certificate = made.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate), shift_s - 3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), shift_s + 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    for (const std::string& name : names) {
      // Given its type, OpenSSL checks neither length nor contents.
      X509_NAME_ENTRY* entry = X509_NAME_ENTRY_create_by_NID(
          nullptr, NID_commonName, V_ASN1_UTF8STRING,
          reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()));
      Check(entry != nullptr && X509_NAME_add_entry(subject, entry, -1, 0) == 1, "subject");
      X509_NAME_ENTRY_free(entry);
    }
    X509_set_issuer_name(certificate, ca_ == nullptr ? subject : X509_get_subject_name(ca_.get()));
    return made;
  }

  void Extend(X509* certificate, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, ca_ == nullptr ? certificate : ca_.get(), certificate, nullptr,
                   nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    Check(extension != nullptr, "extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  void Sign(X509* certificate) {
    Check(X509_sign(certificate, ca_key_.get(), EVP_sha256()) > 0, "signature");
  }

  Identity Issue(const std::vector<std::string>& names, const std::string& use,
                 const std::string& also, int64_t shift_s) {
    const Key key = NewKey();
    const Certificate certificate = NewCertificate(names, key.get(), shift_s);
    Extend(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    Extend(certificate.get(), NID_ext_key_usage, use);
    if (!also.empty()) Extend(certificate.get(), NID_subject_alt_name, also);
    Sign(certificate.get());
    return {CertificatePem(certificate.get()), KeyPem(key.get())};
  }

  static std::string Text(BIO* memory) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(memory, &data);  // NOLINT(google-runtime-int): OpenSSL's
    std::string text(data, static_cast<size_t>(size));
    BIO_free(memory);
    return text;
  }
  static std::string CertificatePem(X509* certificate) {
    BIO* memory = BIO_new(BIO_s_mem());
    Check(PEM_write_bio_X509(memory, certificate) == 1, "certificate");
    return Text(memory);
  }
  static std::string KeyPem(EVP_PKEY* key) {
    BIO* memory = BIO_new(BIO_s_mem());
    Check(PEM_write_bio_PKCS8PrivateKey(memory, key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "key text");
    return Text(memory);
  }

  int64_t serial_ = 0;
  Key ca_key_;
  Certificate ca_{nullptr, &X509_free};
};

}  // namespace gleaner

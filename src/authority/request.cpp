#include "authority/request.h"

#include "crypto/key.h"
#include "identity/certificate.h"

#include <openssl/pem.h>

#include <algorithm>

namespace cipherway::authority {

using identity::Name;
using identity::NameKind;

Result<std::vector<Name>> requested_names(const std::vector<std::string>& texts, const Constraints& constraints) {
  if (texts.empty())
    return fail(ErrorKind::Invalid, "no name: say whom the certificate is for, as in spiffe://" +
                                        constraints.trust_domain() + "/storefront");
  if (texts.size() > identity::kMostNames)
    return fail(ErrorKind::Limit, std::to_string(texts.size()) + " names are too many for one certificate (at most " +
                                      std::to_string(identity::kMostNames) + "); issue several");
  std::vector<Name> names;
  for (const std::string& text : texts) {
    Name name = TRY(Name::parse(text));
    TRY(constraints.check(name));
    if (std::ranges::find(names, name) != names.end())
      return fail(ErrorKind::Invalid, "the name " + name.text + " is given twice");
    if (name.kind == NameKind::Spiffe) {
      if (name.text == "spiffe://" + constraints.trust_domain())
        return fail(ErrorKind::Denied,
                    name.text + " stands for the authority itself; add a path, as in " + name.text + "/storefront");
      if (std::ranges::find(names, NameKind::Spiffe, &Name::kind) != names.end())
        return fail(ErrorKind::Invalid, "a certificate has one SPIFFE ID; issue another one for " + name.text);
    }
    names.push_back(std::move(name));
  }
  return names;
}

Result<crypto::KeyHandle> key_of_csr(std::string_view pem) {
  using RequestHandle = crypto::Handle<X509_REQ, &X509_REQ_free>;
  constexpr int kLeastRsaBits = 2048;
  constexpr int kMostRsaBits = 8192;

  if (pem.size() > kMostCsrBytes) return fail(ErrorKind::Limit, "the request is larger than 64 KiB");
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
    return fail(ErrorKind::Denied,
                "there is a private key in the request; send the request alone, and consider that key known");
  crypto::BioHandle bio = crypto::reading(pem);
  RequestHandle request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return crypto::fail_openssl("read the certificate request (PEM, PKCS#10)");
  crypto::KeyHandle key(X509_REQ_get_pubkey(request.get()));
  if (!key) return crypto::fail_openssl("read the public key of the request");
  crypto::KeyType type = TRY_IN("the request", crypto::type_of(key.get()));
  if (type == crypto::KeyType::Rsa) {
    int bits = EVP_PKEY_get_bits(key.get());
    if (bits < kLeastRsaBits || bits > kMostRsaBits)
      return fail(ErrorKind::Invalid, "the request: an RSA key has 2048 to 8192 bits, not " + std::to_string(bits));
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1)
    return crypto::fail_openssl("verify that the requester has the private key");
  return key;
}

}  // namespace cipherway::authority

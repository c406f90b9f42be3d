#pragma once

#include "authority/constraints.h"

#include <string_view>

namespace cipherway::authority {

inline constexpr std::size_t kMostCsrBytes = 64 << 10;

/// The names of a request, read and checked one by one against the constraints and together against the rules for a
/// leaf: 1 to 100, none twice, at most one SPIFFE ID (X509-SVID, section 2), which has a path (section 4.1).
Result<std::vector<identity::Name>> requested_names(const std::vector<std::string>& names,
                                                    const Constraints& constraints);

/// The public key of a PKCS#10 request in PEM, whose own signature must verify with it; or of a kind or size that we do
/// not certify, which is an Invalid error.
Result<crypto::KeyHandle> key_of_csr(std::string_view pem);

}  // namespace cipherway::authority

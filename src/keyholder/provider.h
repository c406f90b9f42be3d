#pragma once

#include "keyholder/client.h"

namespace cipherway::keyholder {

/// The OpenSSL provider "cipherway": private keys that are elsewhere. It is made of key objects that hold the public
/// half and the name of an identity, and of one signature algorithm that queues a request to the keyholder and pauses
/// the ASYNC job it runs in until the answer is there. Loaded on first use, into a library context of its own, so that
/// nothing but our key objects comes here.
Result<crypto::KeyHandle> make_key_object(const std::shared_ptr<Client::State>& state, const std::string& identity,
                                          const crypto::KeyHandle& public_key);

}  // namespace cipherway::keyholder

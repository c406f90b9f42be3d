namespace cipherway {}

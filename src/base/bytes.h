#pragma once

#include "base/error.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cipherway {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

BytesView as_bytes(std::string_view text);
std::string_view as_text(BytesView bytes);

/// Lower-case hexadecimal, two digits a byte.
std::string to_hex(BytesView bytes);
Result<Bytes> from_hex(std::string_view text);

/// Reads big-endian fields off untrusted bytes. A read past the end returns a Protocol error; it never reads
/// outside the span. Length-prefixed fields take the largest length the caller accepts.
class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : rest_(bytes) {}

  Result<std::uint8_t> u8();
  Result<std::uint16_t> u16();
  Result<std::uint32_t> u32();
  Result<std::uint64_t> u64();
  Result<BytesView> bytes(std::size_t count);
  /// A 16-bit length and that many bytes, at most `most`.
  Result<BytesView> vector16(std::size_t most);
  Result<std::string> text16(std::size_t most);

  BytesView rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }
  /// An error unless everything was read: trailing bytes are a disagreement about the format.
  Result<void> end() const;

 private:
  BytesView rest_;
};

/// Appends big-endian fields to a buffer.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void u64(std::uint64_t value);
  void bytes(BytesView value) { out_.insert(out_.end(), value.begin(), value.end()); }
  /// A 16-bit length and the bytes; more than 65,535 bytes is a broken invariant.
  void vector16(BytesView value);
  void text16(std::string_view value) { vector16(as_bytes(value)); }

 private:
  Bytes& out_;
};

}  // namespace cipherway

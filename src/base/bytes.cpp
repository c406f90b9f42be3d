#include "base/bytes.h"

namespace cipherway {

BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view as_text(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string to_hex(BytesView bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::uint8_t byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

namespace {
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(ErrorKind::Invalid, "hexadecimal text has an odd number of digits");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = hex_value(text[i]);
    int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(ErrorKind::Invalid, "not a hexadecimal digit");
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

Result<BytesView> ByteReader::bytes(std::size_t count) {
  if (count > rest_.size()) return fail(ErrorKind::Protocol, "message ends too early");
  BytesView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

namespace {
template <class T>
Result<T> big_endian(ByteReader& reader) {
  BytesView bytes = TRY(reader.bytes(sizeof(T)));
  T value = 0;
  for (std::uint8_t byte : bytes) value = static_cast<T>(static_cast<std::uint64_t>(value) << 8 | byte);
  return value;
}

template <class T>
void put_big_endian(Bytes& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::uint8_t>(value >> shift));
}
}  // namespace

Result<std::uint8_t> ByteReader::u8() {
  return big_endian<std::uint8_t>(*this);
}
Result<std::uint16_t> ByteReader::u16() {
  return big_endian<std::uint16_t>(*this);
}
Result<std::uint32_t> ByteReader::u32() {
  return big_endian<std::uint32_t>(*this);
}
Result<std::uint64_t> ByteReader::u64() {
  return big_endian<std::uint64_t>(*this);
}

Result<BytesView> ByteReader::vector16(std::size_t most) {
  std::uint16_t length = TRY(u16());
  if (length > most) return fail(ErrorKind::Limit, "field is longer than allowed");
  return bytes(length);
}

Result<std::string> ByteReader::text16(std::size_t most) {
  return std::string(as_text(TRY(vector16(most))));
}

Result<void> ByteReader::end() const {
  if (!rest_.empty()) return fail(ErrorKind::Protocol, "message has bytes after its end");
  return {};
}

void ByteWriter::u16(std::uint16_t value) {
  put_big_endian(out_, value);
}
void ByteWriter::u32(std::uint32_t value) {
  put_big_endian(out_, value);
}
void ByteWriter::u64(std::uint64_t value) {
  put_big_endian(out_, value);
}

void ByteWriter::vector16(BytesView value) {
  if (value.size() > 0xffff) broken("vector16 of more than 65,535 bytes");
  u16(static_cast<std::uint16_t>(value.size()));
  bytes(value);
}

}  // namespace cipherway

#include "config/snapshot.h"

#include "base/sealed.h"

namespace cipherway::config {

namespace {

constexpr std::uint32_t kFormat = 0x43575331;  // "CWS1"
constexpr std::size_t kMostPathBytes = 4096;

void write_text32(ByteWriter& writer, std::string_view text) {
  writer.u32(static_cast<std::uint32_t>(text.size()));
  writer.bytes(as_bytes(text));
}

Result<std::string> read_text32(ByteReader& reader, std::size_t most) {
  std::size_t size = TRY(reader.u32());
  if (size > most) return fail(ErrorKind::Limit, "a text in a snapshot is longer than it may be");
  return std::string(as_text(TRY(reader.bytes(size))));
}

}  // namespace

Result<Bytes> Snapshot::to_bytes() const {
  std::size_t total = text.size();
  for (const auto& [path, content] : files) total += path.size() + content.size() + 8;
  if (total + file.size() + directory.size() + 64 > kMostBytes)
    return fail(ErrorKind::Limit, "the config and the files that it names are together larger than 16 MiB");
  Bytes bytes;
  bytes.reserve(total + file.size() + directory.size() + 64);
  ByteWriter writer(bytes);
  writer.u32(kFormat);
  write_text32(writer, text);
  write_text32(writer, file);
  write_text32(writer, directory);
  writer.u32(static_cast<std::uint32_t>(files.size()));
  for (const auto& [path, content] : files) {
    write_text32(writer, path);
    write_text32(writer, content);
  }
  return bytes;
}

Result<Snapshot> Snapshot::from_bytes(BytesView bytes) {
  if (bytes.size() > kMostBytes) return fail(ErrorKind::Limit, "a snapshot is larger than 16 MiB");
  ByteReader reader(bytes);
  if (TRY(reader.u32()) != kFormat) return fail(ErrorKind::Protocol, "not a snapshot of a config");
  Snapshot snapshot;
  snapshot.text = TRY(read_text32(reader, kMostFileBytes));
  snapshot.file = TRY(read_text32(reader, kMostPathBytes));
  snapshot.directory = TRY(read_text32(reader, kMostPathBytes));
  std::size_t count = TRY(reader.u32());
  if (count > kMostFiles) return fail(ErrorKind::Limit, "a snapshot has more than 3,000 files");
  for (std::size_t i = 0; i < count; ++i) {
    std::string path = TRY(read_text32(reader, kMostPathBytes));
    std::string content = TRY(read_text32(reader, kMostFileBytes));
    if (!snapshot.files.emplace(std::move(path), std::move(content)).second)
      return fail(ErrorKind::Protocol, "a snapshot has a file twice");
  }
  TRY(reader.end());
  return snapshot;
}

Result<Fd> Snapshot::to_sealed_fd() const {
  return to_sealed_memory("cipherway-config", TRY(to_bytes()));
}

Result<Snapshot> Snapshot::from_sealed_fd(const Fd& fd) {
  return from_bytes(as_bytes(TRY_IN("a snapshot", from_sealed_memory(fd, kMostBytes))));
}

}  // namespace cipherway::config

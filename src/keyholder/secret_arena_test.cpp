#include "keyholder/secret_arena.h"

#include "base/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <vector>

namespace cipherway::keyholder {
namespace {

TEST(SecretArena, BlocksAreDistinctAlignedAndKeepTheirContent) {
  SecretArena arena;
  std::mt19937 random(1);
  struct Block {
    unsigned char* at;
    std::size_t size;
    unsigned char fill;
  };
  std::vector<Block> blocks;
  for (int round = 0; round < 20000; ++round) {
    if (blocks.size() > 200 || (!blocks.empty() && random() % 2 == 0)) {
      std::size_t i = random() % blocks.size();
      Block& block = blocks[i];
      ASSERT_TRUE(std::all_of(block.at, block.at + block.size, [&](unsigned char c) { return c == block.fill; }));
      if (random() % 3 == 0) {
        std::size_t size = 1 + random() % 3000;
        auto* moved = static_cast<unsigned char*>(arena.resize(block.at, size));
        ASSERT_TRUE(
            std::all_of(moved, moved + std::min(size, block.size), [&](unsigned char c) { return c == block.fill; }));
        std::memset(moved, block.fill, size);
        block = {moved, size, block.fill};
      } else {
        arena.release(block.at);
        blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(i));
      }
    } else {
      std::size_t size = 1 + (random() % 50 == 0 ? random() % 200000 : random() % 3000);
      auto* at = static_cast<unsigned char*>(arena.allocate(size));
      ASSERT_NE(at, nullptr);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % 16, 0u);
      auto fill = static_cast<unsigned char>(random());
      std::memset(at, fill, size);
      blocks.push_back({at, size, fill});
    }
  }
  for (const Block& block : blocks) arena.release(block.at);
}

TEST(SecretArena, EverySizeFitsItsClass) {
  SecretArena arena;
  for (std::size_t size = 1; size < 70000; size += size < 300 ? 1 : 97) {
    auto* at = static_cast<unsigned char*>(arena.allocate(size));
    std::memset(at, 0x5a, size);
    auto* neighbour = static_cast<unsigned char*>(arena.allocate(size));
    std::memset(neighbour, 0xa5, size);
    ASSERT_TRUE(std::all_of(at, at + size, [](unsigned char c) { return c == 0x5a; })) << size;
    arena.release(at);
    arena.release(neighbour);
  }
}

TEST(SecretArena, FreedBlocksAreWipedAndUsedAgain) {
  SecretArena arena;
  auto* at = static_cast<unsigned char*>(arena.allocate(100));
  std::memset(at, 0x5a, 100);
  arena.release(at);
  // Beyond the link of the free list nothing of the content is left.
  EXPECT_TRUE(std::all_of(at + sizeof(void*), at + 100, [](unsigned char c) { return c == 0; }));
  std::size_t mapped = arena.mapped();
  for (int i = 0; i < 100000; ++i) arena.release(arena.allocate(100));
  EXPECT_EQ(arena.mapped(), mapped);
  EXPECT_EQ(arena.allocate(100), at);
}

TEST(SecretArena, LikeMallocAtTheEdges) {
  SecretArena arena;
  EXPECT_EQ(arena.allocate(0), nullptr);
  EXPECT_EQ(arena.allocate(static_cast<std::size_t>(-1)), nullptr);
  arena.release(nullptr);
  void* at = arena.resize(nullptr, 10);
  EXPECT_NE(at, nullptr);
  EXPECT_EQ(arena.resize(at, 0), nullptr);
}

const void* address_on_stack = nullptr;
std::string flags_of_mapping(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  while (std::getline(maps, line)) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2)
      inside = reinterpret_cast<unsigned long>(address) >= begin && reinterpret_cast<unsigned long>(address) < end;
    else if (inside && line.starts_with("VmFlags:"))
      return line + " ";
  }
  return "";
}
std::string flags_seen;

TEST(SecretArena, ItsMemoryAndTheStackAreLeftOutOfDumps) {
  SecretArena arena;
  EXPECT_NE(flags_of_mapping(arena.allocate(10)).find(" dd "), std::string::npos);
  int ordinary = 0;
  EXPECT_EQ(flags_of_mapping(&ordinary).find(" dd "), std::string::npos) << "the control: an ordinary stack is dumped";
  run_on_secret_stack([] {
    int local = 0;
    address_on_stack = &local;
    flags_seen = flags_of_mapping(&local);
  });
  EXPECT_NE(address_on_stack, nullptr);
#ifndef CIPHERWAY_SANITIZED
  EXPECT_NE(flags_seen.find(" dd "), std::string::npos) << flags_seen;
#endif
}

}  // namespace
}  // namespace cipherway::keyholder

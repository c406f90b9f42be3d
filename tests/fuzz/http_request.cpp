// What strangers send to the status server: never crashes, is answered with a status code or understood, and names of
// other people's are not answered to. Input: the head of a request.
#include "node/status_site.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string_view>

using cipherway::broken;
using namespace cipherway::node;

namespace {

void must(bool condition, const char* what) {
  if (!condition) broken(what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const StatusSite site(*cipherway::Address::parse("127.0.0.1:9090"));
  static const Report report{"{}", std::make_shared<const Json>(Json::object())};
  std::string_view arrived(reinterpret_cast<const char*>(data), size);
  std::size_t end = end_of_head(arrived);
  must(end <= size, "a head ends within what arrived");
  auto request = parse_request(arrived.substr(0, end > 0 ? end : size));
  if (!request) {
    int status = request.error();
    must(status >= 400 && status < 600, "a refusal has a status code");
    must(to_wire(refusal(status), false).ends_with("\n"), "a refusal says something");
    return 0;
  }
  must(end > 0, "a request ends with an empty line");
  must(request->path.starts_with('/'), "a path begins with a slash");
  for (std::string_view name : {"channel", ""}) static_cast<void>(request->parameter(name));
  HttpResponse response = site.answer(*request, &report, {});
  std::string wire = to_wire(response, request->head);
  must(wire.starts_with("HTTP/1.1 ") && wire.contains("\r\n\r\n"), "a response is one");
  // Everything before the body is ours: no byte of the request is in it.
  std::string_view fields = std::string_view(wire).substr(0, wire.find("\r\n\r\n"));
  if (request->path.size() > 40) must(!fields.contains(request->path), "a request is not reflected");
  return 0;
}

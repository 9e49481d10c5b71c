#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace moebench {

/// Lower-case hex of the SHA-256 of the bytes.
std::string sha256_hex(std::string_view bytes);

/// The same of a file, read in pieces. Throws Error(kIo) that names the file.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace moebench

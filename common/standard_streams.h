// Descriptors 0, 1 and 2, which others may have closed.
#pragma once

namespace gleaner {

// Opens /dev/null in the place of each that is closed: else the first file that the program opens
// gets the number, and what it prints or logs goes into that file. First thing in main().
void KeepStandardStreams();

}  // namespace gleaner

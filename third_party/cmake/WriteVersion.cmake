# Says which version this source tree is, and writes it down; run at every build:
#
#   cmake -DBASE=0.1.0 -DSOURCE_DIR=… [-DVERSION=…] [-DTEMPLATE=… -DSOURCE=… -DTEXT=…] -P WriteVersion.cmake
#
#   0.1.0+197.g634d4f1         a git clone: number of commits, commit; `.dirty` if a file differs from it
#   0.1.0+0.1795975657.g634d4f1  a shallow clone, or an archive that git made: nobody can count there, so the commit's
#                              time (Unix seconds) orders them, below every build that can count
#   0.1.0+0                    neither
#
# A later commit of the same kind is a later version for `dpkg --compare-versions`, and so is a kind further up. VERSION, if given, is taken as it is: for a build whose
# sources came without their history from a place that knew it.
cmake_minimum_required(VERSION 3.25)

# git(OUT ARGUMENTS…): what git answers, or nothing. Whose files these are makes no difference to what is about to be built of them.
function(git out)
  execute_process(COMMAND git -c safe.directory=${SOURCE_DIR} -C ${SOURCE_DIR} ${ARGN} OUTPUT_VARIABLE answer RESULT_VARIABLE status
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT status EQUAL 0)
    set(answer "")
  endif()
  set(${out} "${answer}" PARENT_SCOPE)
endfunction()

# A source tree inside another project's clone is not that project.
git(where rev-parse --is-inside-work-tree --show-prefix)
set(version ${BASE}+0)
if(VERSION)
  if(NOT VERSION MATCHES "^[0-9]+\\.[0-9]+\\.[0-9]+(\\+[0-9a-z.]+)?$")
    message(FATAL_ERROR "GLEANER_VERSION is '${VERSION}'; a version looks like 0.1.0 or 0.1.0+197.g634d4f1")
  endif()
  set(version ${VERSION})
elseif(where STREQUAL "true")
  git(commit rev-parse HEAD)
  string(SUBSTRING "${commit}" 0 7 commit)
  git(shallow rev-parse --is-shallow-repository)
  if(shallow STREQUAL "true")
    git(time log -1 --format=%ct)
    set(number "0.${time}")
  else()
    git(number rev-list --count HEAD)
  endif()
  if(commit AND number)
    git(changes status --porcelain --untracked-files=no)
    if(changes)
      set(dirty .dirty)
    endif()
    set(version "${BASE}+${number}.g${commit}${dirty}")
  endif()
else()
  # git puts the commit's time and hash here when it makes an archive (.gitattributes).
  file(READ ${SOURCE_DIR}/third_party/cmake/archived_commit.txt archived)
  if(archived MATCHES "^([0-9]+) ([0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f])")
    set(version "${BASE}+0.${CMAKE_MATCH_1}.g${CMAKE_MATCH_2}")
  endif()
endif()

if(TEXT)
  set(GLEANER_VERSION ${version})
  configure_file(${TEMPLATE} ${SOURCE} @ONLY)  # touched only when it changes, and nothing is built again
  file(CONFIGURE OUTPUT ${TEXT} CONTENT "${version}\n")
else()
  message(NOTICE ${version})
endif()

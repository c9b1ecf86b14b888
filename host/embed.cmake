# systole_embed(HEADER MACRO [JOINED] FILE...): files as C constants, so that an installed library
# or program carries its data and reads nothing at run time. generated/HEADER then defines MACRO,
# a row for each file:
#   {"name", {"line\n", "line\n", ..., NULL}},    lines one by one: C promises 4095 bytes a string
#   {"name", "line\n" "line\n" ...},              JOINED: one string, for short files
# `name` is the file's, without its ending. Text is never made a CMake list, which would cut it at
# semicolons and brackets.
function(systole_embed header macro)
  set(open "{")
  set(between ",")
  set(close ", NULL}")
  if(ARGV2 STREQUAL "JOINED")
    set(open "")
    set(between "")
    set(close "")
    list(REMOVE_AT ARGN 0)
  endif()
  set(rows "")
  foreach(file IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REGEX REPLACE "\n$" "" text "${text}")
    string(REPLACE "\n" "\\n\"${between} \\\n    \"" text "${text}")
    string(APPEND rows "  {\"${name}\", ${open} \\\n    \"${text}\\n\"${close}}, \\\n")
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/generated/${header})
  file(WRITE ${out}.new "/* Made by host/embed.cmake; do not edit. */\n#define ${macro} \\\n${rows}\n")
  configure_file(${out}.new ${out} COPYONLY)
endfunction()

# Writes FOLDER/fast.cpp and FOLDER/slow.cpp, which include the C++ that Verilator generated
# there: what runs every cycle, and construction, waveform set-up and first evaluation. The names
# of the generated files are only known once Verilator has run; these two always exist.
file(GLOB generated RELATIVE ${FOLDER} ${FOLDER}/Vsystole*.cpp)
list(SORT generated)
set(fast "")
set(slow "")
foreach(file IN LISTS generated)
  if(file MATCHES "__Slow\\.cpp$|__Syms\\.cpp$")
    string(APPEND slow "#include \"${file}\"\n")
  else()
    string(APPEND fast "#include \"${file}\"\n")
  endif()
endforeach()
if(NOT fast)
  message(FATAL_ERROR "Verilator has left no C++ in ${FOLDER}")
endif()
file(WRITE ${FOLDER}/fast.cpp "${fast}")
file(WRITE ${FOLDER}/slow.cpp "${slow}")

# Turn text files, one after the other, into a C array: cmake
# -DINPUTS=FILE,... -DOUTPUT=... -DNAME=... -DHEADER=... -P embed.cmake
#
# Scripts become one, in a function of its own, so that the page they stand in
# sees none of their names. The text goes into a CDATA section of an XML file
# and into an HTML element; what would end either one early is refused here.
string(REPLACE "," ";" inputs "${INPUTS}")
set(text "")
foreach(input IN LISTS inputs)
  file(READ ${input} part)
  string(APPEND text "${part}")
endforeach()
if(inputs MATCHES "\\.js$")
  set(text "\"use strict\";\n(() => {\n${text}})();\n")
endif()
foreach(end "]]>" "</script" "</style" "<!--")
  string(FIND "${text}" "${end}" at)
  if(NOT at EQUAL -1)
    message(FATAL_ERROR "${INPUTS} contains '${end}'")
  endif()
endforeach()

file(WRITE ${OUTPUT} "${text}")
file(READ ${OUTPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "    \\1\n"
  bytes "${bytes}")
file(WRITE ${OUTPUT}
  "#include \"${HEADER}\"\n\nconst char ${NAME}[] = {\n${bytes}    0};\n")

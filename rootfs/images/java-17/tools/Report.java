import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import javax.xml.stream.XMLStreamWriter;

/**
 * Makes one JUnit report of many: usage: Report REPORT DIRECTORY.
 *
 * <p>Takes every TEST-*.xml below DIRECTORY, as JUnit's launcher, Maven and Gradle write them: each suite and case with
 * its name, and how it ended. Output, properties and stack traces, which can be long, stay behind.
 */
public final class Report {
  private static final Set<String> ENDINGS = Set.of("failure", "error", "skipped");
  private static final List<String> ATTRIBUTES = List.of("name", "classname", "time");

  public static void main(String[] arguments) throws IOException, XMLStreamException {
    List<Path> parts = new ArrayList<>();
    try (Stream<Path> below = Files.walk(Path.of(arguments[1]))) {
      below.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml")).sorted().forEach(parts::add);
    }
    if (parts.isEmpty()) return;
    try (OutputStream file = Files.newOutputStream(Path.of(arguments[0]))) {
      XMLStreamWriter out = XMLOutputFactory.newInstance().createXMLStreamWriter(file, "UTF-8");
      out.writeStartDocument("UTF-8", "1.0");
      out.writeStartElement("testsuites");
      for (Path part : parts) copy(part, out);
      out.writeEndDocument();
      out.close();
    }
  }

  private static void copy(Path part, XMLStreamWriter out) throws IOException, XMLStreamException {
    XMLInputFactory factory = XMLInputFactory.newInstance();
    factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
    try (InputStream file = new BufferedInputStream(Files.newInputStream(part))) {
      XMLStreamReader in = factory.createXMLStreamReader(file);
      while (in.hasNext()) {
        int event = in.next();
        if (event != XMLStreamConstants.START_ELEMENT && event != XMLStreamConstants.END_ELEMENT) continue;
        String element = in.getLocalName();
        if (!element.equals("testsuite") && !element.equals("testcase") && !ENDINGS.contains(element)) continue;
        if (event == XMLStreamConstants.END_ELEMENT) {
          out.writeEndElement();
          continue;
        }
        out.writeStartElement(element);
        for (String name : ENDINGS.contains(element) ? List.<String>of() : ATTRIBUTES) {
          if (in.getAttributeValue(null, name) != null) out.writeAttribute(name, in.getAttributeValue(null, name));
        }
      }
    }
  }
}

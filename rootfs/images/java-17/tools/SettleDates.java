import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;

/**
 * Run while an image is built: usage: java SettleDates.java KEYSTORE.
 *
 * <p>A keystore of the kind JKS notes when each certificate was put in, which would make each build another. Here that
 * becomes the first day of the certificate itself.
 */
final class SettleDates {
  public static void main(String[] arguments) throws Exception {
    Path path = Path.of(arguments[0]);
    byte[] old = Files.readAllBytes(path);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataInputStream in = new DataInputStream(new ByteArrayInputStream(old));
    DataOutputStream out = new DataOutputStream(bytes);
    expect(in, out, 0xFEEDFEED);
    expect(in, out, 2);
    int entries = in.readInt();
    out.writeInt(entries);
    CertificateFactory certificates = CertificateFactory.getInstance("X.509");
    for (int i = 0; i < entries; i++) {
      expect(in, out, 2); // a certificate, no key
      out.writeUTF(in.readUTF());
      in.readLong();
      String type = in.readUTF();
      byte[] encoded = in.readNBytes(in.readInt());
      X509Certificate certificate = (X509Certificate) certificates.generateCertificate(new ByteArrayInputStream(encoded));
      out.writeLong(certificate.getNotBefore().getTime());
      out.writeUTF(type);
      out.writeInt(encoded.length);
      out.write(encoded);
    }
    // The digest that ends the file, as sun.security.provider.JavaKeyStore makes it of the password and the rest.
    MessageDigest digest = MessageDigest.getInstance("SHA");
    digest.update("changeit".getBytes(StandardCharsets.UTF_16BE));
    digest.update("Mighty Aphrodite".getBytes(StandardCharsets.UTF_8));
    digest.update(bytes.toByteArray());
    out.write(digest.digest());
    Files.write(path, bytes.toByteArray());
  }

  private static void expect(DataInputStream in, DataOutputStream out, int wanted) throws IOException {
    int found = in.readInt();
    if (found != wanted) throw new IOException("not a JKS keystore of certificates: " + Integer.toHexString(found));
    out.writeInt(found);
  }
}

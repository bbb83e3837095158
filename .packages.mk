# Debian 12 packages: to build, and to run the demo and the tests.
BUILD_PACKAGES = gcc make pkg-config libssl-dev libtesseract-dev libleptonica-dev libqpdf-dev \
  libp11-dev libp11-kit-dev libconfig-dev libtiff-dev libjpeg62-turbo-dev libpng-dev zlib1g-dev \
  libseccomp-dev libjansson-dev libqrencode-dev libzbar-dev liblcms2-dev libharfbuzz-dev libfribidi-dev libpoppler-glib-dev poppler-data gettext fonts-dejavu-core \
  tesseract-ocr tesseract-ocr-deu tesseract-ocr-eng tesseract-ocr-osd
BENCH_PACKAGES = ocrmypdf
TEST_PACKAGES = clang-14 libclang-rt-14-dev softhsm2 opensc poppler-utils mupdf-tools qpdf openssl python3-minimal python3 \
  libpdfbox2-java libactivation-java libjaxb-api-java libbcpkix-java libbcprov-java libbcutil-java openjdk-17-jdk-headless mandoc strace shellcheck \
  cppcheck bindfs samba smbclient libtiff-tools binutils time xz-utils procps python3-prometheus-client systemd python3-jsonschema python3-pil fonts-liberation2 fonts-lohit-deva libjs-pdf zbar-tools qrencode zint libxml2-utils chromium chromium-driver python3-selenium

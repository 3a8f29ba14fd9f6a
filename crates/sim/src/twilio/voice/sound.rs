//! Sound files, made on the spot: silence of a recording's length, short enough to keep at hand.

/// The longest file, in seconds.
const MAX_S: u64 = 5;

/// Samples a second of the WAV file.
const WAV_RATE: u32 = 8000;

/// An MP3 frame of silence: MPEG-1 Layer III, 32 kbit/s, 44.1 kHz, one channel; header, then nothing but zeros.
const MP3_HEADER: [u8; 4] = [0xFF, 0xFB, 0x10, 0xC0];
/// Bytes of such a frame: 144 × 32,000 ÷ 44,100.
const MP3_FRAME: usize = 104;
/// Such frames in a second, of 1152 samples each, rounded up.
const MP3_FRAMES_A_SECOND: usize = 39;

/// A WAV file: 8-bit PCM, one channel.
pub(super) fn wav(seconds: u64) -> Vec<u8> {
    // At most five seconds, which fits.
    let samples = u32::try_from(seconds.clamp(1, MAX_S)).unwrap_or(1) * WAV_RATE;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + samples).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    for word in [1_u16, 1] {
        file.extend(word.to_le_bytes());
    }
    for word in [WAV_RATE, WAV_RATE] {
        file.extend(word.to_le_bytes());
    }
    for word in [1_u16, 8] {
        file.extend(word.to_le_bytes());
    }
    file.extend(b"data");
    file.extend(samples.to_le_bytes());
    // The middle of an unsigned sample is silence.
    file.resize(file.len() + samples as usize, 0x80);
    file
}

/// An MP3 file.
pub(super) fn mp3(seconds: u64) -> Vec<u8> {
    let mut frame = MP3_HEADER.to_vec();
    frame.resize(MP3_FRAME, 0);
    frame.repeat(usize::try_from(seconds.clamp(1, MAX_S)).unwrap_or(1) * MP3_FRAMES_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::{mp3, wav};

    #[test]
    fn a_wav_file_tells_its_own_length() {
        for (seconds, samples) in [(0, 8000), (2, 16_000), (3600, 40_000)] {
            let file = wav(seconds);
            let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            assert_eq!((word(4) as usize, word(40) as usize, file.len()), (file.len() - 8, samples, 44 + samples));
        }
    }

    #[test]
    fn an_mp3_file_is_frames_from_end_to_end() {
        let file = mp3(2);
        assert_eq!(file.len(), 2 * 39 * 104);
        assert!(file.chunks(104).all(|frame| frame[..2] == [0xFF, 0xFB]));
    }
}
